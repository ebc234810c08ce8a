//! Completions and manual pages.

use std::fs;
use std::process::Command;

use crate::common::{assert_contains, fails, read, succeeds, text};

#[test]
fn completions_are_of_all_commands_and_bash_takes_them() {
    let here = tempfile::tempdir().unwrap();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = text(&succeeds(&here, &format!("completions {shell}")).stdout);
        assert_contains(&script, &["compare", "equal-compute", "fetch"]);
        assert!(!script.contains("{program}"), "{shell}");
    }
    fails(&here, "completions tcsh", 2, "tcsh");

    let script = text(&succeeds(&here, "completions bash").stdout);
    let asked = format!(
        "{script}\nCOMP_WORDS=(xsam comp); COMP_CWORD=1; _xsam xsam comp xsam; echo ${{COMPREPLY[@]}}"
    );
    let bash = Command::new("bash").arg("-c").arg(asked).output();
    // Where there is no bash, there is nothing to be seen.
    if let Ok(bash) = bash {
        assert_eq!(text(&bash.stdout).trim(), "compare completions");
    }
}

#[test]
fn there_is_a_manual_page_for_every_command_that_is_shown() {
    let here = tempfile::tempdir().unwrap();
    let page = text(&succeeds(&here, "man").stdout);
    assert_contains(&page, &[".TH xsam 1", "xsam\\-compare(1)"]);

    succeeds(&here, "man --out share/man1");
    let folder = here.path().join("share/man1");
    let pages = fs::read_dir(&folder).unwrap();
    let mut names: Vec<_> = pages
        .map(|page| page.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    for name in ["xsam.1", "xsam-compare.1", "xsam-data-fetch.1"] {
        assert!(names.iter().any(|other| other == name), "{names:?}");
    }
    let hidden = |name: &String| name.contains("job") || name.contains("help");
    assert!(!names.iter().any(hidden), "{names:?}");
    for name in names {
        let page = read(folder.join(&name));
        assert_contains(&page, &[".TH ", ".SH SYNOPSIS"]);
        assert!(!page.contains("{program}"), "{name}");
    }
    fs::write(here.path().join("file"), "").unwrap();
    fails(&here, "man --out file", 1, "file");
}
