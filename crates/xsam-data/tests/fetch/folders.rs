//! What is on the disk before and after, and who else is at work there.

use std::fs;

use xsam_data::DatasetName;
use xsam_data::fetch::{Fetch, FetchError, State};

use crate::server::{Reply, Server, whole};
use crate::{Place, Toy, file, md5, names, noise, one};

#[test]
fn what_a_fetch_did_not_make_is_left_as_it_is() {
    let toy = Toy::sound(1000);
    let (files, place) = (toy.files, &toy.place);
    let refused = || {
        let error = place.run(files).unwrap_err();
        assert!(matches!(&error, FetchError::Occupied { path } if *path == place.at("toy")));
        assert!(error.to_string().contains("move it away"), "{error}");
        assert_eq!(place.fetch(files).state().unwrap(), State::Foreign);
        assert_eq!(place.names(), ["toy"]);
    };
    fs::create_dir(place.at("toy")).unwrap();
    fs::write(place.at("toy/mine"), "mine").unwrap();
    fs::write(place.at("toy/.complete"), "mine").unwrap();
    refused();
    assert_eq!(fs::read(place.at("toy/mine")).unwrap(), b"mine");
    fs::remove_dir_all(place.at("toy")).unwrap();
    fs::write(place.at("toy"), "mine").unwrap();
    refused();
    assert_eq!(toy.server.count(), 0);
    fs::remove_file(place.at("toy")).unwrap();
    assert_eq!(place.fetch(files).state().unwrap(), State::Absent);
    // Nothing is lost with an empty folder.
    fs::create_dir(place.at("toy")).unwrap();
    assert_eq!(place.fetch(files).state().unwrap(), State::Absent);
    toy.finishes();
    assert_eq!(place.fetch(files).state().unwrap(), State::Complete);
}

#[test]
fn a_folder_from_other_files_is_told_and_kept() {
    let (old, new) = (noise(1000), noise(1001));
    let server = Server::script(vec![whole(&old), whole(&new)]);
    let (then, now) = (one(&[server.url("a")], &old), one(&[server.url("a")], &new));
    let place = Place::empty();
    place.finishes(then, &old);
    assert_eq!(place.fetch(now).state().unwrap(), State::Outdated);
    let outdated = |error: FetchError| assert!(matches!(error, FetchError::Outdated { .. }));
    outdated(place.run(now).unwrap_err());
    outdated(place.fetch(now).verify(&mut |_| {}).unwrap_err());
    place.finishes(then, &old);
}

#[test]
fn a_mirror_comes_first_and_the_published_source_after_it() {
    let bytes = noise(1000);
    let own = Server::script(vec![whole(&bytes)]);
    let mirror = Server::script(vec![whole(&bytes), Reply::status(404)]);
    let files = one(&[own.url("published/a.bin")], &bytes);
    for (requests, base) in [(0, "some/where"), (1, "some/where/")] {
        let place = Place::empty();
        let mut fetch = place.fetch(files);
        fetch.mirror = Some(mirror.url(base));
        fetch.run(&mut |_| {}).unwrap();
        place.finishes(files, &bytes);
        assert_eq!(own.count(), requests);
    }
    let paths = mirror.requests().into_iter().map(|request| request.path);
    assert!(paths.eq(["/some/where/a.bin"; 2]));

    let place = Place::empty();
    for url in ["ftp://h/", "h", ""] {
        let mut fetch = place.fetch(files);
        fetch.mirror = Some(url.to_owned());
        let error = fetch.run(&mut |_| {}).unwrap_err();
        assert!(matches!(error, FetchError::Mirror { .. }), "{error}");
    }
    assert!(place.names().is_empty());
}

#[test]
fn two_fetches_of_one_data_set_do_not_meet() {
    let toy = Toy::sound(1000);
    let (files, place) = (toy.files, &toy.place);
    let mut others = 0;
    let fetch = place.fetch(files);
    fetch
        .run(&mut |_| {
            let other = place.run(files).unwrap_err();
            let me = format!("process {} on", std::process::id());
            assert!(other.to_string().contains(&me), "{other}");
            assert!(matches!(other, FetchError::Busy { .. }));
            others += 1;
        })
        .unwrap();
    assert!(others > 0);
    toy.finishes();
    assert_eq!(toy.server.count(), 1);
}

#[test]
fn files_that_arrived_are_not_fetched_again_if_another_one_fails() {
    let (a, b) = (noise(1000), noise(2000));
    let first = Server::script(vec![whole(&a)]);
    let second = Server::script(vec![Reply::status(404), whole(&b)]);
    let files = vec![
        file("a.bin", &[first.url("a")], &a, 1000, None),
        file("b.bin", &[second.url("b")], &b, 2000, None),
    ]
    .leak();
    let place = Place::empty();
    place.fails(files, &["b.bin could not", "404"]);
    let folder = place.run(files).unwrap();
    assert_eq!((first.count(), second.count()), (1, 2));
    assert_eq!(names(&folder), [".complete", ".md5sums", "a.bin", "b.bin"]);
    assert!(fs::read(folder.join("b.bin")).unwrap() == b);
}

#[test]
fn what_an_interrupted_fetch_left_is_removed() {
    let toy = Toy::sound(1000);
    let (files, place) = (toy.files, &toy.place);
    // Ended while it made the folder.
    fs::create_dir_all(place.at("toy.part/tree/half")).unwrap();
    fs::write(place.at("toy.part/tree/.complete"), "half").unwrap();
    toy.finishes();
    assert_eq!(names(&place.at("toy")), [".complete", ".md5sums", "a.bin"]);
    // Ended after the folder had its name.
    fs::create_dir(place.at("toy.part")).unwrap();
    fs::write(place.at("toy.part/a.bin"), "half").unwrap();
    toy.finishes();
    // What someone else put there stays.
    fs::create_dir(place.at("toy.part")).unwrap();
    fs::write(place.at("toy.part/mine"), "mine").unwrap();
    place.run(files).unwrap();
    assert_eq!(names(&place.at("toy.part")), ["mine"]);
    assert_eq!(toy.server.count(), 1);
}

#[test]
fn changes_after_a_fetch_are_found() {
    let toy = Toy::sound(1000);
    let (files, place) = (toy.files, &toy.place);
    let verify = || place.fetch(files).verify(&mut |_| {});
    assert!(matches!(verify(), Err(FetchError::NotFetched { .. })));
    toy.finishes();
    fs::write(place.at("toy/added"), "").unwrap();
    verify().unwrap();

    let damaged = |what: &str| assert_eq!(place.differences(files), [what]);
    let a = place.at("toy/a.bin");
    fs::remove_file(&a).unwrap();
    damaged("a.bin is missing");
    fs::write(&a, noise(999)).unwrap();
    damaged("a.bin differs");
    fs::write(&a, &toy.bytes).unwrap();
    verify().unwrap();
    fs::write(place.at("toy/.md5sums"), "").unwrap();
    damaged(".md5sums differs");
}

#[cfg(unix)]
#[test]
fn nothing_outside_of_the_folder_is_read_whatever_its_list_says() {
    use std::os::unix::fs::symlink;
    use std::process::Command;

    let toy = Toy::sound(1000);
    let (files, place) = (toy.files, &toy.place);
    toy.finishes();
    fs::write(place.at("outside"), &toy.bytes).unwrap();
    let sums = fs::read_to_string(place.at("toy/.md5sums")).unwrap();
    let mark = fs::read_to_string(place.at("toy/.complete")).unwrap();
    let refused = |list: &str, difference: &str| {
        let own = mark.replace(&md5(sums.as_bytes()), &md5(list.as_bytes()));
        assert_ne!(own, mark);
        fs::write(place.at("toy/.md5sums"), list).unwrap();
        fs::write(place.at("toy/.complete"), own).unwrap();
        assert_eq!(place.differences(files), [difference]);
    };
    let line = |name: &str| format!("{sums}{}  {name}\n", md5(&toy.bytes));

    let outside = place.at("outside").display().to_string();
    let why = "of .md5sums is not a path inside a folder";
    refused(&line(&outside), &format!("{outside:?} {why}"));
    refused(&line("/dev/zero"), &format!("\"/dev/zero\" {why}"));
    for name in ["../outside", "b/../../outside"] {
        let difference = format!("{name:?} of .md5sums leads out of the folder");
        refused(&line(name), &difference);
    }
    refused(&line("a.bin"), "a.bin is in .md5sums twice");
    refused(&line("b"), "b is missing");
    refused(&format!("{sums}b\n"), "line 2 of .md5sums is not of a file");

    for (name, to) in [("link", &outside[..]), ("zero", "/dev/zero"), ("up", "..")] {
        symlink(to, place.at("toy").join(name)).unwrap();
    }
    for name in ["link", "zero", "up/outside"] {
        let difference = format!("{name} is a link that leads out of the folder");
        refused(&line(name), &difference);
    }
    fs::create_dir(place.at("toy/folder")).unwrap();
    refused(&line("folder"), "folder is not a file");
    let pipe = place.at("toy/pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    refused(&line("pipe"), "pipe is not a file");
}

#[cfg(unix)]
#[test]
fn a_mark_or_a_list_without_end_is_none() {
    use std::os::unix::fs::symlink;

    let toy = Toy::sound(1000);
    let (files, place) = (toy.files, &toy.place);
    toy.finishes();
    let replace = |name: &str| {
        fs::remove_file(place.at("toy").join(name)).unwrap();
        symlink("/dev/zero", place.at("toy").join(name)).unwrap();
    };
    replace(".md5sums");
    assert_eq!(place.differences(files), [".md5sums differs"]);
    replace(".complete");
    assert_eq!(place.fetch(files).state().unwrap(), State::Foreign);
    fs::remove_file(place.at("toy/.complete")).unwrap();
    for depth in [100_000, 30_000] {
        fs::write(
            place.at("toy/.complete"),
            vec!["a"; depth].join(".") + " = 1",
        )
        .unwrap();
        assert_eq!(place.fetch(files).state().unwrap(), State::Foreign);
    }
}

#[test]
fn errors_of_the_disk_name_the_path() {
    let toy = Toy::sound(1000);
    let (files, place) = (toy.files, &toy.place);
    fs::create_dir_all(place.at("toy.part/a.bin.part")).unwrap();
    place.fails(files, &["cannot write", "a.bin.part"]);
    fs::remove_dir_all(place.at("toy.part")).unwrap();
    fs::write(place.at("toy.part"), "mine").unwrap();
    place.fails(files, &["cannot make", "toy.part"]);
    fs::remove_file(place.at("toy.part")).unwrap();
    toy.finishes();
}

#[test]
fn what_cannot_be_fetched_says_what_to_do() {
    let place = Place::empty();
    let error = |name: DatasetName| {
        let error = Fetch::new(name, place.0.path()).unwrap_err();
        error.to_string()
    };
    let text = error(DatasetName::Iwslt14DeEn);
    for word in [
        "prepare-iwslt14.sh",
        "train.de, train.en, valid.de, valid.en, test.de and test.en",
    ] {
        assert!(text.contains(word), "{text}");
    }
    assert!(error(DatasetName::Digits).contains("built in"));
    assert!(error(DatasetName::ImageFolder).contains("your own"));
    assert!(error(DatasetName::ParallelText).contains("your own"));
    assert!(place.names().is_empty());
}
