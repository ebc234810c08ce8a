//! The pages of the project: links lead somewhere, code that is quoted is code, and versions are those of the workspace.
#![allow(missing_docs, clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};
use toml::Table;
use walkdir::{DirEntry, WalkDir};

const PROJECT: &str = "https://github.com/xsam-rs/xsam/";

/// A block of code, by the words behind its fence.
struct Block {
    words: String,
    code: String,
}

#[derive(Default)]
struct Page {
    path: PathBuf,
    links: Vec<String>,
    /// As the fragments of addresses.
    headings: BTreeSet<String>,
    blocks: Vec<Block>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// All files with this ending that are the project's own.
fn files(ending: &str) -> Vec<PathBuf> {
    let ours = |entry: &DirEntry| {
        let name = entry.file_name().to_str().unwrap();
        !["target", "runs", "data", ".git"].contains(&name)
    };
    let entries = WalkDir::new(root()).sort_by_file_name().into_iter();
    let paths = entries
        .filter_entry(ours)
        .map(|entry| entry.unwrap().into_path());
    paths
        .filter(|path| path.extension().is_some_and(|found| found == ending))
        .collect()
}

/// The fragment by which a heading is found, on GitHub as in the book.
fn fragment(heading: &str) -> String {
    let kept = heading.trim().chars().filter_map(|c| match c {
        ' ' => Some('-'),
        '-' | '_' => Some(c),
        c if c.is_alphanumeric() => Some(c.to_ascii_lowercase()),
        _ => None,
    });
    kept.collect()
}

fn read(path: &Path) -> Page {
    let text = fs::read_to_string(path).unwrap();
    let mut page = Page {
        path: path.to_owned(),
        ..Page::default()
    };
    let (mut heading, mut block): (Option<String>, Option<Block>) = (None, None);
    for event in Parser::new_ext(&text, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                page.links.push(dest_url.into_string());
            }
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => {
                page.headings.insert(fragment(&heading.take().unwrap()));
            }
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(words))) => {
                block = Some(Block {
                    words: words.into_string(),
                    code: String::new(),
                });
            }
            Event::End(TagEnd::CodeBlock) => page.blocks.extend(block.take()),
            Event::Text(text) | Event::Code(text) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&text);
                }
                if let Some(block) = &mut block {
                    block.code.push_str(&text);
                }
            }
            _ => {}
        }
    }
    page
}

fn pages() -> Vec<Page> {
    files("md").iter().map(|path| read(path)).collect()
}

/// Without what layout alone decides.
fn plain(code: &str) -> String {
    code.split_whitespace().collect()
}

#[test]
fn links_lead_to_files_and_headings_that_are_there() {
    let pages = pages();
    let mut broken = Vec::new();
    let mut followed = 0;
    for page in &pages {
        for link in &page.links {
            let (base, target) = match link.strip_prefix(PROJECT) {
                Some(rest) => {
                    let path = rest.strip_prefix("blob/main/");
                    match path.or_else(|| rest.strip_prefix("tree/main/")) {
                        Some(path) => (root(), path),
                        None => continue,
                    }
                }
                None if link.contains("://") => continue,
                None => (page.path.parent().unwrap().to_owned(), link.as_str()),
            };
            let (file, wanted) = target.split_once('#').unwrap_or((target, ""));
            let path = match file {
                "" => page.path.clone(),
                file => base.join(file),
            };
            followed += 1;
            let Ok(path) = path.canonicalize() else {
                broken.push(format!("{}: {link}", page.path.display()));
                continue;
            };
            let there = || {
                let other = pages.iter().find(|other| other.path == path);
                other.is_some_and(|other| other.headings.contains(wanted))
            };
            if !wanted.is_empty() && !there() {
                broken.push(format!("{}: {link}", page.path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(followed > 100, "{followed} links alone were followed");
}

#[test]
fn every_page_of_the_book_is_in_its_summary() {
    let folder = root().join("book/src");
    let summary = read(&folder.join("SUMMARY.md"));
    let listed: BTreeSet<PathBuf> = summary.links.iter().map(|link| folder.join(link)).collect();
    let there = files("md").into_iter();
    let there: BTreeSet<PathBuf> = there
        .filter(|path| path.starts_with(&folder) && !path.ends_with("SUMMARY.md"))
        .collect();
    assert_eq!(listed, there);
}

/// Of code that is not compiled where it stands, each paragraph stands in an example.
#[test]
fn code_that_is_quoted_is_that_of_an_example() {
    let sources = files("rs").into_iter().chain(files("toml"));
    let sources = sources.filter(|path| {
        let path = path.strip_prefix(root()).unwrap();
        path.starts_with("examples") || path.starts_with("book/code") || {
            path.starts_with("crates/xsam/examples")
        }
    });
    let sources: Vec<String> = sources
        .map(|path| plain(&fs::read_to_string(path).unwrap()))
        .collect();
    let mut quoted = 0;
    for page in pages() {
        for block in &page.blocks {
            if block.words != "rust,ignore" {
                continue;
            }
            for part in block.code.split("\n\n") {
                quoted += 1;
                let wanted = plain(part);
                assert!(
                    sources.iter().any(|source| source.contains(&wanted)),
                    "{}: no example has\n{part}",
                    page.path.display()
                );
            }
        }
    }
    assert!(quoted > 5, "{quoted} pieces of code alone were looked for");
}

/// The change of a program is that from one example to another.
#[test]
fn the_change_of_a_loop_is_that_of_the_examples() {
    let page = read(&root().join("book/src/library.md"));
    let block = page
        .blocks
        .iter()
        .find(|block| block.words == "diff")
        .unwrap();
    for (gone, file) in [('+', "loop_before.rs"), ('-', "loop_after.rs")] {
        let lines = block.code.lines().filter(|line| !line.starts_with(gone));
        let lines: Vec<&str> = lines.map(|line| &line[1..]).collect();
        let source = fs::read_to_string(root().join("book/code").join(file)).unwrap();
        assert!(source.contains(&lines.join("\n")), "{file}");
    }
}

#[test]
fn dependencies_to_paste_are_of_these_versions() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let manifest: Table = manifest.parse().unwrap();
    let workspace = &manifest["workspace"];
    let own = workspace["package"]["version"].as_str().unwrap();
    let mut found = 0;
    for page in pages() {
        for block in &page.blocks {
            if block.words != "toml" || !block.code.starts_with("[dependencies]") {
                continue;
            }
            let table: Table = block.code.parse().unwrap();
            for (name, wanted) in table["dependencies"].as_table().unwrap() {
                let wanted = wanted.get("version").unwrap_or(wanted).as_str().unwrap();
                let known = match &workspace["dependencies"][name] {
                    known if known.get("path").is_some() => own,
                    known => known.get("version").unwrap_or(known).as_str().unwrap(),
                };
                found += 1;
                assert!(
                    known.starts_with(wanted),
                    "{}: {name} {wanted}, which is {known}",
                    page.path.display()
                );
            }
        }
    }
    assert!(found >= 8, "{found} dependencies alone were found");
}

/// Each promise of the threat model is held by a test of the name that stands beside it.
#[test]
fn promises_of_security_are_tests() {
    let sources = files("rs")
        .into_iter()
        .map(|path| fs::read_to_string(path).unwrap());
    let sources: Vec<String> = sources.collect();
    let text = fs::read_to_string(root().join("SECURITY.md")).unwrap();
    let is_of_tests = |table: &&str| table.lines().next().unwrap_or("").ends_with("| test |");
    let tables = text.split("\n\n").filter(is_of_tests);
    let rows = tables.flat_map(|table| table.lines().skip(2));
    let mut promised = 0;
    for row in rows {
        let tests = row.trim_end_matches(" |").rsplit("| ").next().unwrap();
        for test in tests.split(", ").map(|test| test.trim_matches('`')) {
            promised += 1;
            let signature = format!("fn {test}()");
            let is_test = |source: &String| {
                let before = source.split(&signature).next().unwrap();
                before.len() < source.len() && before.trim_end().ends_with("#[test]")
            };
            assert!(sources.iter().any(is_test), "no test is called {test}");
        }
    }
    assert!(promised > 30, "{promised}");
}

/// The counts of read-backs are those that a test of the optimizer holds to what happens.
#[test]
fn the_read_backs_of_the_methods_are_those_of_their_test() {
    let test = fs::read_to_string(root().join("crates/xsam/tests/all/read_backs.rs")).unwrap();
    let page = fs::read_to_string(root().join("book/src/devices.md")).unwrap();
    let (_, table) = test.split_once("const READ_BACKS").unwrap();
    let (table, _) = table.split_once("];").unwrap();
    let mut rows = 0;
    for row in table.lines().filter(|line| line.contains("(\"")) {
        let cells = row.trim().trim_matches(['(', ')', ',']).replace('"', "`");
        let row = format!("| {} |", cells.replace(", ", " | "));
        assert!(page.contains(&row), "the page lacks {row}");
        rows += 1;
    }
    assert!(rows > 15, "{rows} methods were found");
}
