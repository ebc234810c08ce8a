//! From the bytes of an image to the normalized pixels of its view.

use super::draw::{Area, View, Window};
use super::resample::Resampler;

/// Appends what is seen of `image`, normalized by a table per channel.
///
/// `image` is `[channel, height, width]`, and so is what is appended. `spare` is memory to reuse
/// from image to image.
pub(crate) fn push_view(
    image: &[u8],
    [height, width]: [usize; 2],
    tables: &[[f32; 256]],
    view: &View,
    spare: &mut Vec<u8>,
    pixels: &mut Vec<f32>,
) {
    let channels = image.chunks_exact(height * width).zip(tables);
    let start = pixels.len();
    match view.window {
        Window::Shifted {
            rows: 0,
            columns: 0,
        } if !view.flip => {
            for (plane, table) in channels {
                pixels.extend(plane.iter().map(|&pixel| table[usize::from(pixel)]));
            }
        }
        Window::Shifted { rows, columns } => {
            for (plane, table) in channels {
                push_shifted(plane, width, table, [rows, columns], view.flip, pixels);
            }
        }
        Window::Resized(area) => {
            let resampler = Resampler::new(area, height, width, view.flip);
            for (plane, table) in channels {
                resampler.push(plane, width, table, spare, pixels);
            }
        }
    }
    for plane in pixels[start..].chunks_exact_mut(height * width) {
        for &area in &view.blank {
            blank(plane, width, area);
        }
    }
}

/// Appends a window of a plane that begins so many rows below and columns to the right.
fn push_shifted(
    plane: &[u8],
    width: usize,
    table: &[f32; 256],
    [rows, columns]: [isize; 2],
    flip: bool,
    pixels: &mut Vec<f32>,
) {
    let padding = table[0];
    let outside = columns.unsigned_abs().min(width);
    // What is seen of every row, and whether padding is before it.
    let (seen, mut padding_first) = if columns < 0 {
        (0..width - outside, true)
    } else {
        (outside..width, false)
    };
    padding_first ^= flip;
    let height = plane.len() / width;
    for row in 0..height {
        let source = row.checked_add_signed(rows).filter(|&row| row < height);
        let Some(source) = source else {
            pixels.resize(pixels.len() + width, padding);
            continue;
        };
        let seen = &plane[source * width..][seen.clone()];
        if padding_first {
            pixels.resize(pixels.len() + outside, padding);
        }
        if flip {
            let mirrored = seen.iter().rev();
            pixels.extend(mirrored.map(|&pixel| table[usize::from(pixel)]));
        } else {
            pixels.extend(seen.iter().map(|&pixel| table[usize::from(pixel)]));
        }
        if !padding_first {
            pixels.resize(pixels.len() + outside, padding);
        }
    }
}

fn blank(plane: &mut [f32], width: usize, area: Area) {
    let rows = plane.chunks_exact_mut(width);
    for row in rows.skip(area.top).take(area.height) {
        row[area.left..area.left + area.width].fill(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shifted(rows: isize, columns: isize, flip: bool) -> View {
        View {
            window: Window::Shifted { rows, columns },
            flip,
            ..View::WHOLE
        }
    }

    /// Normalizes v to v - 9: padding is -9, what is blank 0.
    fn seen(image: &[u8], size: [usize; 2], view: &View) -> Vec<f32> {
        let channels = image.len() / (size[0] * size[1]);
        let tables = vec![std::array::from_fn(|value| value as f32 - 9.0); channels];
        // What is there already is left alone.
        let mut pixels = vec![77.0; 3];
        push_view(image, size, &tables, view, &mut Vec::new(), &mut pixels);
        assert_eq!(pixels[..3], [77.0; 3]);
        pixels.split_off(3)
    }

    /// Of the numbered image  11 12 13
    ///                        14 15 16, in which padding shows as 0.
    fn raw(view: &View) -> Vec<f32> {
        let pixels = seen(&[11, 12, 13, 14, 15, 16], [2, 3], view);
        pixels.into_iter().map(|value| value + 9.0).collect()
    }

    #[test]
    fn a_window_shows_what_is_below_and_to_the_right_of_it_and_zeros_beyond() {
        // All of it, and the corners that padding of 1 allows.
        for (rows, columns, expected) in [
            (0, 0, [11.0, 12.0, 13.0, 14.0, 15.0, 16.0]),
            (-1, -1, [0.0, 0.0, 0.0, 0.0, 11.0, 12.0]),
            (-1, 1, [0.0, 0.0, 0.0, 12.0, 13.0, 0.0]),
            (1, -1, [0.0, 14.0, 15.0, 0.0, 0.0, 0.0]),
            (1, 1, [15.0, 16.0, 0.0, 0.0, 0.0, 0.0]),
        ] {
            let found = raw(&shifted(rows, columns, false));
            assert_eq!(found, expected, "{rows} {columns}");
        }
    }

    #[test]
    fn flips_mirror_what_the_window_shows() {
        for (columns, expected) in [
            (0, [13.0, 12.0, 11.0, 16.0, 15.0, 14.0]),
            (1, [0.0, 13.0, 12.0, 0.0, 16.0, 15.0]),
            (-1, [12.0, 11.0, 0.0, 15.0, 14.0, 0.0]),
            (-2, [11.0, 0.0, 0.0, 14.0, 0.0, 0.0]),
        ] {
            assert_eq!(raw(&shifted(0, columns, true)), expected, "{columns}");
        }
    }

    #[test]
    fn a_resized_part_is_normalized_and_flipped() {
        let view = View {
            window: Window::Resized(Area::new([1, 0], [1, 3])),
            flip: true,
            ..View::WHOLE
        };
        assert_eq!(raw(&view), [16.0, 15.0, 14.0, 16.0, 15.0, 14.0]);
    }

    #[test]
    fn blanks_are_zero_after_normalization_in_every_channel() {
        let mut view = View::WHOLE;
        view.blank = [Area::new([0, 0], [1, 2]), Area::new([1, 2], [1, 1])];
        let image = [10, 11, 12, 13, 14, 15, 20, 21, 22, 23, 24, 25];
        let expected = [
            0.0, 0.0, 3.0, 4.0, 5.0, 0.0, 0.0, 0.0, 13.0, 14.0, 15.0, 0.0,
        ];
        assert_eq!(seen(&image, [2, 3], &view), expected);
        view.blank = [Area::new([0, 0], [2, 3]), Area::default()];
        assert_eq!(seen(&image, [2, 3], &view), [0.0; 12]);
    }

    /// Pad, crop, flip, normalize and blank, a pixel at a time.
    fn slowly(image: &[u8], [height, width]: [usize; 2], view: &View) -> Vec<f32> {
        let Window::Shifted { rows, columns } = view.window else {
            panic!("only windows of the image's size");
        };
        let mut pixels = Vec::new();
        for plane in image.chunks(height * width) {
            for y in 0..height {
                for x in 0..width {
                    let inside = |area: &Area| {
                        (area.top..area.top + area.height).contains(&y)
                            && (area.left..area.left + area.width).contains(&x)
                    };
                    let column = if view.flip { width - 1 - x } else { x };
                    let source = (y as isize + rows, column as isize + columns);
                    let within = (0..height as isize).contains(&source.0)
                        && (0..width as isize).contains(&source.1);
                    let at = source.0 * width as isize + source.1;
                    let value = if within { plane[at as usize] } else { 0 };
                    pixels.push(if view.blank.iter().any(inside) {
                        0.0
                    } else {
                        f32::from(value) - 9.0
                    });
                }
            }
        }
        pixels
    }

    #[test]
    fn every_view_is_what_a_pixel_at_a_time_makes_it() {
        let augmentation = crate::Augmentation {
            crop_padding: 3,
            flip: 0.5,
            cutout: 4,
            erasing: Some(crate::Erasing::default()),
            ..crate::Augmentation::none()
        };
        let size = [5, 7];
        let image: Vec<u8> = (10..80).collect();
        for index in 0..2000 {
            let view = augmentation.draw(size, 1, 2, index);
            let (fast, slow) = (seen(&image, size, &view), slowly(&image, size, &view));
            assert_eq!(fast, slow, "{view:?}");
        }
    }
}
