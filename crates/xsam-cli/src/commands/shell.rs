//! `completions` and `man`: what a shell and the manual know of the program.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Command, Parser};
use clap_complete::Shell;
use clap_mangen::Man;
use xsam_lab::{Error, files};

use crate::context::Outcome;
use crate::print;

/// Prints the completions of commands and flags for a shell.
#[derive(Debug, Parser)]
#[command(
    name = "completions",
    after_help = "Examples:\n  \
                  {program} completions bash > ~/.local/share/bash-completion/completions/{program}\n  \
                  {program} completions zsh > ~/.zfunc/_{program}\n  \
                  {program} completions fish > ~/.config/fish/completions/{program}.fish"
)]
pub(crate) struct CompletionsArguments {
    /// The shell whose completions are printed.
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn completions(
    program: &Command,
    arguments: CompletionsArguments,
) -> Result<Outcome, Error> {
    let mut script = Vec::new();
    let name = program.get_name();
    clap_complete::generate(arguments.shell, &mut program.clone(), name, &mut script);
    print::line(String::from_utf8_lossy(&script).trim_end());
    Ok(Outcome::Done)
}

/// Prints the manual page, or writes those of all commands.
#[derive(Debug, Parser)]
#[command(
    name = "man",
    after_help = "Examples:\n  {program} man | man -l -\n  {program} man --out ~/.local/share/man/man1"
)]
pub(crate) struct ManArguments {
    /// Folder for the pages, one for each command; it is made if need be.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(crate) fn man(program: &Command, arguments: ManArguments) -> Result<Outcome, Error> {
    let mut program = program.clone();
    program.build();
    match arguments.out {
        None => print::line(page(&program).trim_end()),
        Some(folder) => {
            fs::create_dir_all(&folder).map_err(Error::file("create the directory", &folder))?;
            write_pages(&program, &folder)?;
        }
    }
    Ok(Outcome::Done)
}

fn write_pages(command: &Command, folder: &Path) -> Result<(), Error> {
    let name = command.get_display_name().unwrap_or(command.get_name());
    files::write(&folder.join(format!("{name}.1")), &page(command))?;
    let below = command.get_subcommands();
    for command in below.filter(|below| !below.is_hide_set() && below.get_name() != "help") {
        write_pages(command, folder)?;
    }
    Ok(())
}

fn page(command: &Command) -> String {
    let mut page = Vec::new();
    // Writing to memory does not fail.
    let _ = Man::new(command.clone()).render(&mut page);
    String::from_utf8_lossy(&page).into_owned()
}
