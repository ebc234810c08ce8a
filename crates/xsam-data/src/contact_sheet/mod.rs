//! Images as they are and as they are augmented, side by side in one picture.

mod canvas;

use std::path::Path;

use xsam_files::{LockFile, Owner, replace_file};

use crate::{DataError, FileError, Images, Normalization, Pipeline};
use canvas::{Canvas, LINE};

/// Between the cells of one image. The width of a character, which keeps captions apart.
const GAP: usize = 8;
/// Between different images, and around all.
const MARGIN: usize = 16;
/// Between a caption and its picture.
const CAPTION_GAP: usize = 3;
/// Pixels of the sheet: 3 bytes each.
const LARGEST: usize = 1 << 28;
/// A cell at least as wide has room for its caption.
const COMFORTABLE: usize = 120;

/// How the images of a contact sheet are arranged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SheetLayout {
    /// Images side by side. At least 1.
    pub columns: usize,
    /// Augmented versions to the right of each image: those of the epochs from 0 on. 0 for a grid
    /// of the images alone.
    pub versions: usize,
    /// Each pixel becomes a square of this side. At least 1.
    pub magnification: usize,
}

impl SheetLayout {
    /// Magnifies images of this size such that their captions have room.
    pub fn new(images: &Images, columns: usize, versions: usize) -> Self {
        Self {
            columns,
            versions,
            magnification: COMFORTABLE.div_ceil(images.width()),
        }
    }
}

/// A PNG file of the images at `indices`, each with its index and the name of its class, and of
/// what the pipeline makes of them.
///
/// Augmented images are shown as a network sees them, but for the normalization, which is undone:
/// what is cut out or erased is 0 and so has the mean colour of the data. The range of the pixels
/// of all images is spread from black to white. Images of 3 channels are shown as red, green and
/// blue; of any other number, the channels are averaged. Captions are cut to the width of their
/// image, and characters beyond ASCII become question marks.
///
/// # Errors
///
/// No images, an index beyond the last, a layout without columns or magnification, or a sheet of
/// more than 2^28 pixels.
pub fn contact_sheet(
    pipeline: &Pipeline,
    indices: &[usize],
    layout: SheetLayout,
) -> Result<Vec<u8>, DataError> {
    let sizes = [
        ("columns", layout.columns),
        ("magnification", layout.magnification),
        ("the number of images on a contact sheet", indices.len()),
    ];
    if let Some(&(field, _)) = sizes.iter().find(|(_, size)| *size == 0) {
        return Err(DataError::Zero { field });
    }
    let images = pipeline.images();
    let grid = Grid::new(images, indices.len(), layout);
    let mut canvas = grid.canvas()?;
    let screen = Screen::new(images, pipeline.normalization());
    for (at, &index) in indices.iter().enumerate() {
        let bytes = images.image(index)?;
        let original: Vec<f64> = bytes.iter().map(|&pixel| f64::from(pixel)).collect();
        let class = &images.class_names()[images.labels()[index]];
        let caption = format!("#{index} {class}");
        grid.draw(&mut canvas, at, 0, &caption, &screen.colours(&original));
        for version in 0..layout.versions {
            let batch = pipeline.gather(version as u64, &[index])?;
            let colours = screen.colours(&screen.restored(&batch.pixels));
            let caption = format!("epoch {version}");
            grid.draw(&mut canvas, at, version + 1, &caption, &colours);
        }
    }
    canvas.png()
}

/// Writes a [`contact_sheet`] to `path`, replacing what is there once the sheet is whole.
///
/// # Errors
///
/// As of [`contact_sheet`], or the file cannot be written.
pub fn write_contact_sheet(
    path: &Path,
    pipeline: &Pipeline,
    indices: &[usize],
    layout: SheetLayout,
) -> Result<(), DataError> {
    let lock = LockFile::take(&LockFile::beside(path), &Owner::this_process());
    let _lock = lock.map_err(|error| FileError::unwritable(path, error))?;
    let png = contact_sheet(pipeline, indices, layout)?;
    Ok(replace_file(path, &png).map_err(|error| FileError::unwritable(path, error))?)
}

/// Where everything is on the sheet. Sizes saturate: such a sheet is refused.
struct Grid {
    magnification: usize,
    /// Images side by side.
    columns: usize,
    /// The width of an image of the data, and of it on the sheet.
    width: usize,
    cell_width: usize,
    /// Of an image with its versions and captions.
    group_width: usize,
    group_height: usize,
    rows: usize,
}

impl Grid {
    fn new(images: &Images, count: usize, layout: SheetLayout) -> Self {
        let magnified = |pixels: usize| pixels.saturating_mul(layout.magnification);
        let columns = layout.columns.min(count);
        let cell_width = magnified(images.width());
        let cells = layout.versions.saturating_add(1);
        Self {
            magnification: layout.magnification,
            columns,
            width: images.width(),
            cell_width,
            group_width: cells.saturating_mul(cell_width.saturating_add(GAP)) - GAP,
            group_height: magnified(images.height()).saturating_add(LINE + CAPTION_GAP),
            rows: count.div_ceil(columns),
        }
    }

    fn canvas(&self) -> Result<Canvas, DataError> {
        let all = |number: usize, size: usize| {
            number
                .saturating_mul(size.saturating_add(MARGIN))
                .saturating_add(MARGIN)
        };
        let width = all(self.columns, self.group_width);
        let height = all(self.rows, self.group_height);
        if width.saturating_mul(height) > LARGEST {
            return Err(DataError::Unfit(format!(
                "a contact sheet of {width}x{height} pixels is too large: show fewer images or \
                 versions, or magnify less"
            )));
        }
        Ok(Canvas::new(width, height))
    }

    /// Draws version `version` of the image at position `at`; 0 is the image as it is.
    fn draw(
        &self,
        canvas: &mut Canvas,
        at: usize,
        version: usize,
        caption: &str,
        colours: &[[u8; 3]],
    ) {
        let group = (at % self.columns) * (self.group_width + MARGIN);
        let left = MARGIN + group + version * (self.cell_width + GAP);
        let top = MARGIN + (at / self.columns) * (self.group_height + MARGIN);
        canvas.text(left, top, self.cell_width, caption);
        let top = top + LINE + CAPTION_GAP;
        canvas.picture(left, top, self.width, self.magnification, colours);
    }
}

/// From pixels to colours on a screen.
struct Screen<'a> {
    normalization: &'a Normalization,
    channels: usize,
    least: f64,
    range: f64,
}

impl<'a> Screen<'a> {
    fn new(images: &Images, normalization: &'a Normalization) -> Self {
        let pixels = images.pixels().iter();
        let (least, greatest) = pixels.fold((u8::MAX, 0), |(least, greatest), &pixel| {
            (least.min(pixel), greatest.max(pixel))
        });
        Self {
            normalization,
            channels: images.channels(),
            least: f64::from(least),
            // Images of one value are black.
            range: f64::from(greatest.saturating_sub(least).max(1)),
        }
    }

    /// Normalized pixels in the units of the bytes that they were.
    fn restored(&self, normalized: &[f32]) -> Vec<f64> {
        let Normalization { mean, deviation } = self.normalization;
        let plane = normalized.len() / self.channels;
        let planes = normalized.chunks_exact(plane);
        planes
            .zip(mean.iter().zip(deviation))
            .flat_map(|(plane, (mean, deviation))| {
                plane.iter().map(move |&v| f64::from(v) * deviation + mean)
            })
            .collect()
    }

    /// The colour of every place of an image, given in the units of the bytes.
    fn colours(&self, pixels: &[f64]) -> Vec<[u8; 3]> {
        let shade = |pixel: f64| ((pixel - self.least) / self.range * 255.0).round() as u8;
        let plane = pixels.len() / self.channels;
        let channel = |channel: usize, at: usize| pixels[channel * plane + at];
        let colour = |at| {
            if self.channels == 3 {
                return [0, 1, 2].map(|c| shade(channel(c, at)));
            }
            let sum: f64 = (0..self.channels).map(|c| channel(c, at)).sum();
            [shade(sum / self.channels as f64); 3]
        };
        (0..plane).map(colour).collect()
    }
}
