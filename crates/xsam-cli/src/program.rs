//! A program: its commands, and how it begins and ends.

use std::process::ExitCode;

use clap::builder::RangedU64ValueParser;
use clap::{ArgMatches, Command, CommandFactory, Parser};
use xsam_lab::spec::Preset;
use xsam_lab::{Error, Tasks};

use crate::commands::{
    compare, eval, export, flatness, job, landscape, plan, report, shell, train,
};
use crate::context::{self, Outcome, Package};
use crate::{flags, print, ranks, source};

/// Bytes of stack for each thread: what a main thread usually has.
const STACK: usize = 8 << 20;

/// What a name of the program stands for in the texts of `--help`.
const NAME: &str = "{program}";

/// The whole program for the tasks `L`, with the commands that every program has.
pub fn program<L: Tasks>(package: Package) -> ExitCode {
    Program::new::<L>(package).run()
}

/// A program, which may have more than every program has.
///
/// Texts of help may say `{program}` where they mean its name.
pub struct Program {
    package: Package,
    presets: &'static [Preset],
    examples: Option<&'static str>,
    commands: Vec<(Command, Box<Run>)>,
}

/// Gets the whole program, and the words behind the name of the command.
type Run = dyn Fn(&Command, &ArgMatches) -> Result<Outcome, Error> + Send + Sync;

/// What stands before any command.
#[derive(Debug, Parser)]
#[command(
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true
)]
struct Arguments {
    /// Number of threads, up to 1024; all cores if not given.
    #[arg(long, global = true, display_order = 900, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=1024))]
    threads: Option<usize>,
}

impl Program {
    /// The program of `package` for the tasks `L`, with the commands that every program has.
    pub fn new<L: Tasks>(package: Package) -> Self {
        let program = Self {
            package,
            presets: L::PRESETS,
            examples: None,
            commands: Vec::new(),
        };
        program
            .with_command(train::run::<L>)
            .with_command(compare::run::<L>)
            .with_command(eval::run::<L>)
            .with_command(flatness::run::<L>)
            .with_command(landscape::run::<L>)
            .with_command(plan::run::<L>)
            .with_command(report::run)
            .with_command(export::run::<L>)
            .with_command(job::run::<L>)
            .with(shell::completions)
            .with(shell::man)
    }

    /// What `--help` shows below the commands.
    #[must_use]
    pub fn with_examples(mut self, examples: &'static str) -> Self {
        self.examples = Some(examples);
        self
    }

    /// One more command, with its arguments, which clap has derived. With [`TaskError`](xsam_lab::TaskError) for `E` it may
    /// fail with any error. An argument whose id is the key of an error is
    /// named in its place: that of the field that it sets.
    #[must_use]
    pub fn with_command<A: Parser + 'static, E: Into<Error> + 'static>(
        self,
        run: fn(A) -> Result<Outcome, E>,
    ) -> Self {
        self.with(move |_: &Command, arguments| run(arguments).map_err(E::into))
    }

    fn with<A: Parser + 'static>(
        mut self,
        run: impl Fn(&Command, A) -> Result<Outcome, Error> + Send + Sync + 'static,
    ) -> Self {
        let run = move |program: &Command, matches: &ArgMatches| {
            // Clap has checked them already, but for what it checks here alone.
            let arguments = A::from_arg_matches(matches).unwrap_or_else(|error| error.exit());
            run(program, arguments)
        };
        self.commands.push((A::command(), Box::new(run)));
        self
    }

    /// Does what the command line says.
    pub fn run(self) -> ExitCode {
        print::set_name(self.package.name);
        #[cfg(feature = "mimalloc")]
        xsam_kernels::keep_freed_memory();
        let mut command = self.command();
        let matches = command.get_matches_mut();
        let threads = matches.get_one::<usize>("threads").copied();
        context::set_threads(threads);
        if let Err(error) = xsam_kernels::check_instruction_set() {
            print::error(error);
            return ExitCode::from(2);
        }
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads.unwrap_or_default())
            .stack_size(STACK);
        if let Err(error) = pool.build_global() {
            print::error(format_args!("cannot start the threads: {error}"));
            return ExitCode::from(1);
        }
        // On a thread of the pool, which does a part of each operation itself. Any other would have to wake
        // one for every operation and wait for it.
        rayon::scope(|_| {
            let code = match self.obey(&command, &matches) {
                Ok(Outcome::Done) => 0,
                Ok(Outcome::Failed) => 1,
                Ok(Outcome::Interrupted) => 130,
                Err(error) => {
                    let error = flags::named(error, &command, &matches);
                    let code = if error.is_usage() { 2 } else { 1 };
                    ranks::tell(&error, code);
                    code
                }
            };
            ranks::leave();
            ExitCode::from(code)
        })
    }

    fn obey(&self, program: &Command, matches: &ArgMatches) -> Result<Outcome, Error> {
        let found = matches.subcommand().and_then(|(name, matches)| {
            let mut commands = self.commands.iter();
            let (_, run) = commands.find(|(command, _)| command.get_name() == name)?;
            Some(run(program, matches))
        });
        // Clap ends the program if there is no such command.
        found.unwrap_or(Ok(Outcome::Failed))
    }

    fn command(&self) -> Command {
        let Package {
            name,
            version,
            about,
        } = self.package;
        let commands = self.commands.iter().map(|(command, _)| {
            let command = source::presets_in(command.clone(), self.presets);
            of_program(command, name)
        });
        let command = Arguments::command()
            .name(name)
            .version(version)
            .about(about)
            .subcommands(commands);
        match self.examples {
            None => command,
            Some(examples) => of_program(command.after_help(examples), name),
        }
    }
}

/// A command, and those below it, with the name of the program in their examples.
fn of_program(command: Command, name: &str) -> Command {
    let examples = command.get_after_help().map(ToString::to_string);
    let command = match examples {
        Some(examples) => command.after_help(examples.replace(NAME, name)),
        None => command,
    };
    command.mut_subcommands(|below| of_program(below, name))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde::{Deserialize, Serialize};
    use xsam_lab::spec::{Preset, TaskSpec};
    use xsam_lab::{TaskError, Visitor};

    use super::*;

    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
    struct Sections {}

    impl TaskSpec for Sections {}

    /// No task, with `PRESETS` if any.
    struct Nothing<const PRESETS: usize>;

    impl<const PRESETS: usize> Tasks for Nothing<PRESETS> {
        type Spec = Sections;

        const PRESETS: &'static [Preset] = match PRESETS {
            0 => &[],
            _ => &[Preset::new("first", ""), Preset::new("second", "")],
        };

        fn visit<V: Visitor<Self::Spec>>(
            _spec: &Self::Spec,
            _visitor: V,
        ) -> Result<V::Output, Error> {
            Err(TaskError::new("there is no task").into())
        }
    }

    /// Does one thing more.
    #[derive(Debug, Parser)]
    #[command(name = "more", after_help = "Example:\n  {program} more")]
    struct More {
        #[arg(long)]
        of: Option<usize>,
    }

    fn more<const PRESETS: usize>() -> Program {
        let package = Package {
            name: "mine",
            version: "1.2.3",
            about: "Mine.",
        };
        Program::new::<Nothing<PRESETS>>(package).with_command(|more: More| match more.of {
            None => Ok::<_, Error>(Outcome::Done),
            Some(_) => Ok(Outcome::Failed),
        })
    }

    #[test]
    fn a_program_is_of_its_package_and_has_its_own_commands() {
        let program = more::<0>();
        let mut command = program.command();
        command.clone().debug_assert();
        let help = command.render_help().to_string();
        let words = ["Mine.", "Usage: mine", "  train ", "  eval ", "  more "];
        for words in words.into_iter().chain(["--threads"]) {
            assert!(help.contains(words), "{words}: {help}");
        }
        assert!(!help.contains("job"), "{help}");
        assert_eq!(command.render_version(), "mine 1.2.3\n");
        for command in command.get_subcommands_mut() {
            if command.is_hide_set() || command.get_name() == "help" {
                continue;
            }
            let help = command.render_long_help().to_string();
            assert!(help.contains("\n  mine "), "{help}");
            let other = ["\n  xsam ", "`xsam ", "{program}"];
            assert!(!other.iter().any(|words| help.contains(words)), "{help}");
        }
        for (words, outcome) in [
            (&["mine", "more"][..], Outcome::Done),
            (&["mine", "more", "--of", "3"], Outcome::Failed),
        ] {
            let matches = program.command().try_get_matches_from(words).unwrap();
            assert_eq!(program.obey(&command, &matches).unwrap(), outcome);
        }
    }

    #[test]
    fn presets_are_of_the_program() {
        let help = |program: Program| {
            let mut command = program.command();
            let compare = command.find_subcommand_mut("compare").unwrap();
            compare.render_long_help().to_string()
        };
        assert!(!help(more::<0>()).contains("--preset"));
        assert!(help(more::<2>()).contains("first, second"));
    }
}
