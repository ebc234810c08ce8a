//! Augmented batches: the same however they are cut and whoever prepares them.

use xsam_data::{
    Augmentation, Batch, DataError, Erasing, Images, Loader, LoaderConfig, Normalization, Pipeline,
    batches, digits, gather, order,
};

/// All that can be on at once.
fn everything() -> Augmentation {
    Augmentation {
        crop_padding: 2,
        flip: 0.5,
        cutout: 4,
        erasing: Some(Erasing::default()),
        ..Augmentation::none()
    }
}

fn pipeline(augmentation: Augmentation, seed: u64) -> Pipeline {
    let data = digits().unwrap();
    Pipeline::new(data.train, data.normalization, augmentation, seed).unwrap()
}

/// All images of an epoch in the order of their indices.
fn epoch(pipeline: &Pipeline, epoch: u64, config: LoaderConfig) -> Vec<Vec<f32>> {
    let n = pipeline.images().len();
    let pixels = pipeline.images().pixels_per_image();
    let mut images = vec![Vec::new(); n];
    let loader = Loader::new(pipeline, epoch, order(n, 3, epoch), config).unwrap();
    for batch in loader {
        let Batch {
            pixels: all,
            indices,
            labels,
        } = batch.unwrap();
        for ((index, image), label) in indices.into_iter().zip(all.chunks(pixels)).zip(labels) {
            assert_eq!(label, pipeline.images().labels()[index] as i64);
            assert!(images[index].is_empty());
            images[index] = image.to_vec();
        }
    }
    images
}

const fn config(batch_size: usize, workers: usize, ahead: usize) -> LoaderConfig {
    LoaderConfig {
        batch_size,
        workers,
        ahead,
    }
}

const CONFIG: LoaderConfig = config(125, 0, 1);

#[test]
fn an_image_looks_the_same_whatever_the_batches_and_the_workers() {
    let pipeline = pipeline(everything(), 1);
    let expected = epoch(&pipeline, 4, CONFIG);
    assert!(expected.iter().all(|image| image.len() == 64));
    for batch_size in [1, 7, 125, 1200, 5000] {
        for (workers, ahead) in [(0, 1), (1, 1), (1, 4), (3, 2)] {
            let config = config(batch_size, workers, ahead);
            assert_eq!(epoch(&pipeline, 4, config), expected, "{config:?}");
        }
    }
    let alone = pipeline.gather(4, &[17]).unwrap();
    assert_eq!(alone.pixels, expected[17]);
}

#[test]
fn other_epochs_and_seeds_show_other_views() {
    let first = epoch(&pipeline(everything(), 1), 4, CONFIG);
    for other in [
        epoch(&pipeline(everything(), 1), 5, CONFIG),
        epoch(&pipeline(everything(), 2), 4, CONFIG),
    ] {
        let same = first.iter().zip(&other).filter(|(a, b)| a == b).count();
        assert!(same < 24, "{same} of 1200 images look the same");
    }
}

#[test]
fn without_augmentation_batches_are_those_of_gather() {
    let pipeline = pipeline(Augmentation::none(), 1);
    let order = order(1200, 3, 0);
    let loader = Loader::new(&pipeline, 0, order.clone(), config(125, 2, 3)).unwrap();
    let mut count = 0;
    for (batch, indices) in loader.zip(batches(&order, 125).unwrap()) {
        let batch = batch.unwrap();
        let plain = gather(pipeline.images(), pipeline.normalization(), indices).unwrap();
        assert_eq!((batch.pixels, batch.labels), plain);
        assert_eq!(batch.indices, indices);
        count += 1;
    }
    assert_eq!(count, 10);
}

#[test]
fn tiny_imagenet_s_augmentation_runs_through() {
    let pipeline = pipeline(Augmentation::tiny_imagenet(), 1);
    let images = epoch(&pipeline, 0, CONFIG);
    let flat: Vec<f32> = images.concat();
    assert_eq!(flat.len(), 1200 * 64);
    assert!(flat.iter().all(|pixel| pixel.is_finite()));
}

#[test]
fn what_does_not_fit_is_refused_before_anything_is_prepared() {
    let data = digits().unwrap();
    let build = |normalization, augmentation| {
        Pipeline::new(data.train.clone(), normalization, augmentation, 1)
            .map(|_| ())
            .unwrap_err()
            .to_string()
    };
    let error = build(data.normalization.clone(), Augmentation::cifar());
    assert_eq!(
        error,
        "cutout = 16 is outside 0..=8 for images of 8x8 pixels"
    );
    let three = Normalization {
        mean: vec![0.0; 3],
        deviation: vec![1.0; 3],
    };
    assert!(build(three, Augmentation::none()).contains("1 channels"));

    let pipeline = pipeline(everything(), 1);
    for (batch_size, ahead, field) in [(0, 1, "batch_size"), (1, 0, "ahead")] {
        let config = config(batch_size, 1, ahead);
        let error = Loader::new(&pipeline, 0, vec![0], config).unwrap_err();
        assert_eq!(error, DataError::Zero { field });
    }
}

#[test]
fn an_index_beyond_the_images_ends_the_epoch_with_an_error() {
    let pipeline = pipeline(everything(), 1);
    for workers in [0, 2] {
        let order = vec![0, 1, 2, 1200, 3, 4];
        let mut loader = Loader::new(&pipeline, 0, order, config(2, workers, 2)).unwrap();
        assert_eq!(loader.next().unwrap().unwrap().indices, [0, 1]);
        let error = loader.next().unwrap().unwrap_err().to_string();
        assert_eq!(error, "image 1200 does not exist, there are 1200");
        assert!(loader.next().is_none());
    }
}

#[test]
fn an_epoch_of_no_images_is_over_at_once() {
    let images = Images::new(vec![], vec![], [1, 2, 2], vec!["a".into()]).unwrap();
    let normalization = Normalization::measure(&images);
    let pipeline = Pipeline::new(images, normalization, Augmentation::none(), 1).unwrap();
    let mut loader = Loader::new(&pipeline, 0, vec![], CONFIG).unwrap();
    assert!(loader.next().is_none());
}
