//! What happens to one image in one epoch.

use super::{Augmentation, Erasing, ResizedCrop};
use crate::random::{Purpose, Stream};

/// How often a rectangle that does not fit is drawn again, as in torchvision.
const TRIES: usize = 10;

/// What is seen of an image, and what of that is blank.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct View {
    pub(super) window: Window,
    /// Mirrored left and right.
    pub(super) flip: bool,
    /// Set to 0 after all else: what cutout and what erasing take.
    pub(super) blank: [Area; 2],
}

/// Where the pixels of a view come from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Window {
    /// From so many rows below and columns to the right; 0 where there are none.
    Shifted { rows: isize, columns: isize },
    /// From this part of the image, resized to all of it.
    Resized(Area),
}

/// A rectangle within an image; of no size if it is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Area {
    pub(super) top: usize,
    pub(super) left: usize,
    pub(super) height: usize,
    pub(super) width: usize,
}

impl Area {
    pub(super) const fn new([top, left]: [usize; 2], [height, width]: [usize; 2]) -> Self {
        Self {
            top,
            left,
            height,
            width,
        }
    }
}

impl View {
    /// All of the image as it is.
    pub(crate) const WHOLE: Self = Self {
        window: Window::Shifted {
            rows: 0,
            columns: 0,
        },
        flip: false,
        blank: [Area::new([0; 2], [0; 2]); 2],
    };
}

impl Augmentation {
    /// What happens to image `index` in `epoch`. The values have been checked for this size.
    ///
    /// The order of the draws is fixed. A part that is off draws nothing.
    /// 1. `crop_padding`: the row of the window, then its column, bounded draws.
    /// 2. `resized_crop`: area and logarithm of the ratio, until it fits; then row and column.
    /// 3. `flip`: one draw from `[0, 1)`, and a mirrored image if it is less than the probability.
    /// 4. `cutout`: the row of the centre, then its column.
    /// 5. `erasing`: one draw as for `flip`; then, if something is erased, as `resized_crop`.
    pub(crate) fn draw(
        &self,
        [height, width]: [usize; 2],
        seed: u64,
        epoch: u64,
        index: usize,
    ) -> View {
        if *self == Self::none() {
            return View::WHOLE;
        }
        let mut stream = Stream::of_image(Purpose::Augmentation, seed, epoch, index);
        let mut view = View::WHOLE;
        if self.crop_padding > 0 {
            view.window = shifted(self.crop_padding, &mut stream);
        }
        if let Some(crop) = self.resized_crop {
            view.window = Window::Resized(crop.draw(height, width, &mut stream));
        }
        view.flip = self.flip > 0.0 && stream.unit() < self.flip;
        if self.cutout > 0 {
            let (top, height) = square(self.cutout, height, &mut stream);
            let (left, width) = square(self.cutout, width, &mut stream);
            view.blank[0] = Area::new([top, left], [height, width]);
        }
        if let Some(erasing) = self.erasing {
            view.blank[1] = erasing.draw(height, width, &mut stream);
        }
        view
    }
}

fn shifted(padding: usize, stream: &mut Stream) -> Window {
    let mut offset = || stream.below(2 * padding + 1) as isize - padding as isize;
    Window::Shifted {
        rows: offset(),
        columns: offset(),
    }
}

/// Start and length of what a square of this side covers of one side of the image.
///
/// Of a square of even side, the centre is the first pixel of the second half.
fn square(side: usize, length: usize, stream: &mut Stream) -> (usize, usize) {
    let centre = stream.below(length);
    let start = centre.saturating_sub(side / 2);
    let end = (centre + side - side / 2).min(length);
    (start, end - start)
}

impl ResizedCrop {
    fn draw(&self, height: usize, width: usize, stream: &mut Stream) -> Area {
        let area = (height * width) as f64;
        for _ in 0..TRIES {
            let (wide, high) = sides(area, self.scale, self.ratio, stream);
            if (1..=height).contains(&high) && (1..=width).contains(&wide) {
                return placed(high, wide, height, width, stream);
            }
        }
        self.middle(height, width)
    }

    /// The largest window in the middle whose ratio is allowed.
    fn middle(&self, height: usize, width: usize) -> Area {
        let [least, greatest] = self.ratio;
        let ratio = width as f64 / height as f64;
        let rounded = |side: f64, most: usize| (side.round_ties_even() as usize).clamp(1, most);
        let (high, wide) = if ratio < least {
            (rounded(width as f64 / least, height), width)
        } else if ratio > greatest {
            (height, rounded(height as f64 * greatest, width))
        } else {
            (height, width)
        };
        Area::new([(height - high) / 2, (width - wide) / 2], [high, wide])
    }
}

impl Erasing {
    fn draw(&self, height: usize, width: usize, stream: &mut Stream) -> Area {
        if stream.unit() >= self.probability {
            return Area::default();
        }
        let area = (height * width) as f64;
        for _ in 0..TRIES {
            let (high, wide) = sides(area, self.scale, self.ratio, stream);
            if high < height && wide < width {
                return placed(high, wide, height, width, stream);
            }
        }
        Area::default()
    }
}

/// The sides of a rectangle of a random share of `area`, and of a random ratio of the first to the
/// second.
fn sides(area: f64, scale: [f64; 2], ratio: [f64; 2], stream: &mut Stream) -> (usize, usize) {
    let mut between = |[least, greatest]: [f64; 2]| least + stream.unit() * (greatest - least);
    let area = area * between(scale);
    let ratio = between(ratio.map(f64::ln)).exp();
    let side = |square: f64| square.sqrt().round_ties_even() as usize;
    (side(area * ratio), side(area / ratio))
}

fn placed(high: usize, wide: usize, height: usize, width: usize, stream: &mut Stream) -> Area {
    let top = stream.below(height - high + 1);
    Area::new([top, stream.below(width - wide + 1)], [high, wide])
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    const NONE: Augmentation = Augmentation::none();

    fn views(augmentation: Augmentation, size: [usize; 2], n: usize) -> impl Iterator<Item = View> {
        (0..n).map(move |index| augmentation.draw(size, 5, 3, index))
    }

    fn area([top, left, height, width]: [usize; 4]) -> Area {
        Area::new([top, left], [height, width])
    }

    /// From ChaCha8 and the order of draws written anew in another language.
    #[test]
    fn draws_never_change() {
        let cifar = |epoch, index| Augmentation::cifar().draw([32, 32], 42, epoch, index);
        let view = |rows, columns, flip, blank| View {
            window: Window::Shifted { rows, columns },
            flip,
            blank: [area(blank), Area::default()],
        };
        assert_eq!(cifar(0, 0), view(1, -1, false, [0, 1, 14, 16]));
        assert_eq!(cifar(0, 1), view(3, 1, true, [11, 9, 16, 16]));
        assert_eq!(cifar(199, 49_999), view(-1, 4, false, [2, 0, 16, 10]));

        let tiny = |index| Augmentation::tiny_imagenet().draw([64, 64], 42, 0, index);
        let view = |window, flip, erased| View {
            window: Window::Resized(area(window)),
            flip,
            blank: [Area::default(), area(erased)],
        };
        assert_eq!(tiny(0), view([3, 4, 59, 57], false, [32, 40, 31, 10]));
        assert_eq!(tiny(1), view([4, 1, 57, 60], false, [2, 5, 34, 13]));
        assert_eq!(tiny(2), view([3, 1, 60, 63], false, [4, 5, 52, 21]));
        assert_eq!(tiny(6).blank[1], area([16, 17, 12, 33]));
        assert_eq!(tiny(7).blank[1], Area::default());
        assert!((0..9).all(|index| tiny(index).flip == (index > 2)));
    }

    #[test]
    fn nothing_is_drawn_of_nothing() {
        assert!(views(NONE, [4, 4], 10).all(|view| view == View::WHOLE));
    }

    #[test]
    fn crops_are_uniform_over_all_offsets() {
        let crop = Augmentation {
            crop_padding: 4,
            ..NONE
        };
        let mut counts = [[0_usize; 9]; 9];
        for view in views(crop, [32, 32], 81_000) {
            let Window::Shifted { rows, columns } = view.window else {
                panic!("{view:?}");
            };
            counts[(rows + 4) as usize][(columns + 4) as usize] += 1;
            assert!(!view.flip && view.blank == View::WHOLE.blank);
        }
        // Five standard deviations of a count of mean 1,000.
        let counts = counts.as_flattened();
        assert!(counts.iter().all(|c| c.abs_diff(1000) < 160), "{counts:?}");
    }

    #[test]
    fn flips_are_as_likely_as_asked() {
        for flip in [0.0, 0.1, 0.5, 1.0] {
            let augmentation = Augmentation { flip, ..NONE };
            let flipped = views(augmentation, [4, 4], 10_000).filter(|view| view.flip);
            let rate = flipped.count() as f64 / 10_000.0;
            let deviation = (flip * (1.0 - flip) / 10_000.0).sqrt();
            assert!((rate - flip).abs() <= 5.0 * deviation, "{flip}: {rate}");
        }
    }

    #[test]
    fn centres_of_cutouts_are_uniform_and_squares_end_at_the_edges() {
        let cutout = Augmentation { cutout: 2, ..NONE };
        let mut counts = BTreeMap::new();
        for view in views(cutout, [3, 4], 12_000) {
            *counts.entry(view.blank[0]).or_insert(0_usize) += 1;
        }
        // Of rows 0..3, a square with centre 0 leaves the first, others two; of columns likewise.
        let starts =
            |length: usize| (0..length).map(|centre| (centre.max(1) - 1, 1 + centre.min(1)));
        let expected: Vec<Area> = starts(3)
            .flat_map(|(top, height)| {
                starts(4).map(move |(left, width)| area([top, left, height, width]))
            })
            .collect();
        assert_eq!(counts.len(), expected.len());
        for area in expected {
            assert!(counts[&area].abs_diff(1000) < 160, "{counts:?}");
        }
    }

    #[test]
    fn an_odd_square_reaches_as_far_to_all_sides() {
        let streams = (0..100).map(|index| Stream::of_image(Purpose::Augmentation, 1, 1, index));
        let centred: BTreeSet<_> = streams
            .map(|mut stream| square(3, 5, &mut stream))
            .collect();
        let expected = [(0, 2), (0, 3), (1, 3), (2, 3), (3, 2)];
        assert!(centred.into_iter().eq(expected));
    }

    #[test]
    fn resized_crops_keep_to_scale_and_ratio_and_stay_within() {
        let crop = ResizedCrop::default();
        let augmentation = Augmentation {
            resized_crop: Some(crop),
            ..NONE
        };
        let (mut least, mut greatest) = (f64::INFINITY, 0.0_f64);
        for view in views(augmentation, [64, 64], 20_000) {
            let Window::Resized(area) = view.window else {
                panic!("{view:?}");
            };
            assert!(area.top + area.height <= 64 && area.left + area.width <= 64);
            // Sides are rounded, by half a pixel of at least 49.
            let share = (area.height * area.width) as f64 / 4096.0;
            let ratio = area.width as f64 / area.height as f64;
            assert!((0.8 * 0.98..=1.0).contains(&share), "{share}");
            assert!((0.75 * 0.98..=1.02 / 0.75).contains(&ratio), "{ratio}");
            least = least.min(ratio);
            greatest = greatest.max(ratio);
        }
        // A window of 0.8 of the area that fits is 51.2 by 64 pixels at most.
        assert!(least < 0.82 && greatest > 1.22, "{least} {greatest}");
    }

    #[test]
    fn a_window_that_never_fits_is_the_largest_in_the_middle() {
        let crop = |height, width| {
            let crop = ResizedCrop {
                scale: [1.0, 1.0],
                ratio: [2.0, 2.0],
            };
            let mut stream = Stream::of_image(Purpose::Augmentation, 1, 1, 1);
            crop.draw(height, width, &mut stream)
        };
        assert_eq!(crop(8, 8), area([2, 0, 4, 8]));
        assert_eq!(crop(4, 20), area([0, 6, 4, 8]));
        assert_eq!(crop(1, 1), area([0, 0, 1, 1]));
        assert_eq!(crop(8, 16), area([0, 0, 8, 16]));
    }

    #[test]
    fn erased_areas_are_half_as_many_and_within_the_bounds() {
        let augmentation = Augmentation {
            erasing: Some(Erasing::default()),
            ..NONE
        };
        let mut erased = 0_usize;
        let mut shares = Vec::new();
        for view in views(augmentation, [64, 64], 10_000) {
            let area = view.blank[1];
            assert_eq!(view.blank[0], Area::default());
            if area.height == 0 {
                continue;
            }
            erased += 1;
            assert!(area.top + area.height <= 64 && area.left + area.width <= 64);
            assert!(area.height < 64 && area.width < 64);
            // The unrounded sides are less than half a pixel off.
            let (high, wide) = (area.height as f64, area.width as f64);
            assert!((high - 0.5) * (wide - 0.5) / 4096.0 <= 0.33);
            assert!((high + 0.5) * (wide + 0.5) / 4096.0 >= 0.02);
            assert!((high - 0.5) / (wide + 0.5) <= 3.3);
            assert!((high + 0.5) / (wide - 0.5) >= 0.3);
            shares.push(high * wide / 4096.0);
        }
        // Five standard deviations of a count of mean 5,000.
        assert!(erased.abs_diff(5000) < 250, "{erased}");
        let mean = shares.iter().sum::<f64>() / shares.len() as f64;
        assert!(
            (mean - 0.175).abs() < 5.0 * (0.31 / 12_f64.sqrt()) / 70.0,
            "{mean}"
        );
    }

    #[test]
    fn what_cannot_fit_is_not_erased() {
        let erasing = Erasing {
            probability: 1.0,
            scale: [1.0, 1.0],
            ratio: [1.0, 1.0],
        };
        let mut stream = Stream::of_image(Purpose::Augmentation, 1, 1, 1);
        assert_eq!(erasing.draw(8, 8, &mut stream), Area::default());
    }
}
