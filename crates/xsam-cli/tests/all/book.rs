//! The commands of the README and the book: those that a machine without data, other machines and time can run are run, in the
//! order of the pages, with training cut short; of the others the flags are looked up.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::common::{read, succeeds, text, translation};

/// Pages whose commands need published data, a queue, a card or hours.
const ELSEWHERE: [&str; 7] = [
    "cluster.md",
    "devices.md",
    "flatness.md",
    "methods.md",
    "performance.md",
    "planning.md",
    "results.md",
];

/// Stands for the program, and cuts training and what is measured short, and seeds where the command has none.
const XSAM: &str = r#"#!/bin/bash
program=${PROGRAM:-xsam}
cut=()
case $1 in
    train | compare | plan) cut=(--set train.epochs=1) ;;
esac
[ "$1" != plan ] || cut+=(--steps 12)
[ ${#cut} = 0 ] || [ "$program" != xsam ] || cut+=(--set data.subset=40)
[ "$1" != compare ] || [[ $* == *--seeds* || $* == *--resume* ]] || cut+=(--set 'compare.seeds=[0, 1]')
exec "$PROGRAMS/$program" "$@" "${cut[@]}"
"#;

/// Stands for cargo: it runs programs that are built. What builds, tests and measures is for `.ci/run` and scripts.
const CARGO: &str = r#"#!/bin/bash
[ "$1 $2" = "run --release" ] || exit 0
shift 2
[ "$1" = -p ] || { shift; exec xsam "$@"; }
program=$2
shift 3
PROGRAM=$program exec xsam "$@"
"#;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The README, and the pages of the book in its order.
fn texts() -> [Vec<PathBuf>; 2] {
    let folder = root().join("book/src");
    let summary = read(folder.join("SUMMARY.md"));
    let names = summary.split("](").skip(1);
    let names = names.map(|rest| rest.split_once(')').unwrap().0);
    let book = names.map(|name| folder.join(name));
    [vec![root().join("README.md")], book.collect()]
}

/// What stands behind the fences of blocks of these languages, `console` without what is printed.
fn commands(page: &Path, languages: &[&str]) -> Vec<String> {
    let text = read(page);
    let mut commands = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(language) = line.strip_prefix("```") else {
            continue;
        };
        let block: Vec<&str> = lines
            .by_ref()
            .take_while(|line| !line.starts_with("```"))
            .collect();
        match language {
            language if !languages.contains(&language) => {}
            "console" => {
                let mut goes_on = false;
                for line in block {
                    match line.strip_prefix("$ ") {
                        Some(command) => commands.push(command.to_owned()),
                        None if goes_on => {
                            let last = commands.last_mut().unwrap();
                            *last = format!("{last}\n{line}");
                        }
                        None => continue,
                    }
                    goes_on = line.ends_with('\\');
                }
            }
            _ => commands.push(block.join("\n")),
        }
    }
    commands
}

fn is_run(page: &Path) -> bool {
    !ELSEWHERE.iter().any(|name| page.ends_with(name))
}

/// A directory with a spec, sentences, and programs that stand for others; with the path on which these are.
#[cfg(unix)]
fn place() -> (TempDir, String) {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let here = tempfile::tempdir().unwrap();
    let tools = here.path().join("tools");
    fs::create_dir(&tools).unwrap();
    for (name, script) in [("xsam", XSAM), ("cargo", CARGO)] {
        let path = tools.join(name);
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    translation(&here);
    for file in ["text/train.de", "text/train.en"] {
        let lines = read(here.path().join(file));
        fs::write(here.path().join(file), lines.repeat(4)).unwrap();
    }
    fs::write(here.path().join("spec.toml"), "[model]\nwidth = 4\n").unwrap();
    symlink(programs().parent().unwrap(), here.path().join("target")).unwrap();
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap());
    (here, path)
}

fn programs() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_xsam")).parent().unwrap()
}

#[cfg(unix)]
#[test]
fn commands_that_can_be_run_succeed() {
    let mut run = 0;
    for pages in texts() {
        let (here, path) = place();
        for page in pages.into_iter().filter(|page| is_run(page)) {
            for command in commands(&page, &["sh", "console"]) {
                // Examples of libraries are built by tests, into a place of their own.
                if command.contains("target/release/examples/") {
                    continue;
                }
                let output = Command::new("bash")
                    .args(["-e", "-c", &command])
                    .current_dir(&here)
                    .env("PATH", &path)
                    .env("PROGRAMS", programs())
                    .output();
                let output = output.unwrap();
                assert!(
                    output.status.success(),
                    "{}: {command}\n{}",
                    page.display(),
                    text(&output.stderr)
                );
                run += 1;
            }
        }
    }
    assert!(run > 15, "{run} commands alone were run");
}

/// The words of each call of the program in a text.
fn calls(text: &str) -> Vec<Vec<String>> {
    let text = text.replace("\\\n", " ");
    let calls = text
        .lines()
        .flat_map(|line| line.match_indices("xsam ").map(|(at, _)| &line[at..]));
    let whole = |call: &str| {
        let end = call.find(['|', ')', ';', '#']).unwrap_or(call.len());
        shlex::split(&call[..end]).map(|words| words.into_iter().skip(1).collect())
    };
    calls.filter_map(whole).collect()
}

#[test]
fn flags_of_other_commands_are_there() {
    let here = tempfile::tempdir().unwrap();
    let known = |line: &str| succeeds(&here, line);
    let names = text(&known("--help").stdout);
    let mut seen = BTreeSet::new();
    for page in texts().concat() {
        let languages = match is_run(&page) {
            true => &["bash"][..],
            false => &["bash", "sh", "console", ""],
        };
        for call in commands(&page, languages)
            .iter()
            .flat_map(|command| calls(command))
        {
            let name = call.first().map_or("", String::as_str);
            if name.starts_with('-') || !names.contains(&format!("  {name} ")) {
                continue;
            }
            let mut line = name.to_owned();
            if name == "data" {
                line = format!("{line} {}", call[1]);
            }
            let help = text(&known(&format!("{line} --help")).stdout);
            for word in call.iter().filter(|word| word.starts_with("--")) {
                let flag = word.split_once('=').map_or(word.as_str(), |(flag, _)| flag);
                let there = [" ", "\n"]
                    .iter()
                    .any(|end| help.contains(&format!("{flag}{end}")));
                assert!(there, "{}: xsam {line} has no {flag}", page.display());
                seen.insert(flag.to_owned());
            }
        }
    }
    assert!(seen.len() > 10, "{seen:?}");
}
