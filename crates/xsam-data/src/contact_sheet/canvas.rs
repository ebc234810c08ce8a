//! A white picture to draw on.

use std::io::Cursor;

use font8x8::legacy::BASIC_LEGACY;
use image::{ImageFormat, Rgb, RgbImage};

use crate::DataError;

/// Height of a line of text, and width of a character.
pub(super) const LINE: usize = 8;
const PAPER: Rgb<u8> = Rgb([255; 3]);
const INK: Rgb<u8> = Rgb([40; 3]);

pub(super) struct Canvas(RgbImage);

impl Canvas {
    /// The caller sees to it that it fits into memory.
    pub(super) fn new(width: usize, height: usize) -> Self {
        Self(RgbImage::from_pixel(width as u32, height as u32, PAPER))
    }

    /// Draws rows of `width` colours, each a square of side `magnification`.
    pub(super) fn picture(
        &mut self,
        left: usize,
        top: usize,
        width: usize,
        magnification: usize,
        colours: &[[u8; 3]],
    ) {
        let side = magnification;
        for (at, &colour) in colours.iter().enumerate() {
            let (x, y) = (left + at % width * side, top + at / width * side);
            for (dx, dy) in (0..side).flat_map(|dx| (0..side).map(move |dy| (dx, dy))) {
                self.dot(x + dx, y + dy, Rgb(colour));
            }
        }
    }

    /// Writes as many whole characters as fit into `width`.
    pub(super) fn text(&mut self, left: usize, top: usize, width: usize, text: &str) {
        for (at, character) in text.chars().take(width / LINE).enumerate() {
            let code = if matches!(character, ' '..='~') {
                character
            } else {
                '?'
            };
            // A byte a row, the least significant bit on the left.
            for (dy, row) in BASIC_LEGACY[code as usize].into_iter().enumerate() {
                for dx in (0..LINE).filter(|dx| row >> dx & 1 == 1) {
                    self.dot(left + at * LINE + dx, top + dy, INK);
                }
            }
        }
    }

    fn dot(&mut self, x: usize, y: usize, colour: Rgb<u8>) {
        if let Some(pixel) = self.0.get_pixel_mut_checked(x as u32, y as u32) {
            *pixel = colour;
        }
    }

    pub(super) fn png(&self) -> Result<Vec<u8>, DataError> {
        let mut bytes = Cursor::new(Vec::new());
        let written = self.0.write_to(&mut bytes, ImageFormat::Png);
        written
            .map_err(|error| DataError::Failed(format!("cannot encode the picture: {error}")))?;
        Ok(bytes.into_inner())
    }
}
