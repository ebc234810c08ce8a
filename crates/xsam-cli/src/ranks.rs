//! The ranks that a command is one of, under `mpirun` and `srun`.

use std::time::Duration;

use clap::Args;
use xsam_lab::{Error, Ranks};

#[cfg(feature = "mpi")]
use with_mpi as with;
#[cfg(not(feature = "mpi"))]
use without_mpi as with;

pub(crate) use with::{leave, tell};

/// What a command that may be shared out is told.
#[derive(Args, Clone, Copy, Debug)]
pub struct RankArguments {
    /// Under mpirun or srun: ends a rank that has waited for the others for so long.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration, hide = !cfg!(feature = "mpi"))]
    deadline: Duration,
}

impl RankArguments {
    /// The ranks that were started together; one if the program was started by itself. A command asks once, and before
    /// anything else.
    ///
    /// # Errors
    /// If several processes were started together and this build has no MPI, or MPI does not start.
    pub fn start(self) -> Result<Ranks, Error> {
        with::start(self.deadline)
    }
}

#[cfg(feature = "mpi")]
mod with_mpi {
    use std::cell::RefCell;
    use std::sync::{Arc, OnceLock};
    use std::thread;
    use std::time::Duration;

    use xsam_lab::{Error, Ranks};
    use xsam_mpi::{Mpi, MpiRanks, launched};

    use crate::print;

    /// So long a rank keeps an error to itself that the first one may have as well, and tells.
    const FIRST_SPEAKS: Duration = Duration::from_secs(1);

    static RANKS: OnceLock<Arc<MpiRanks>> = OnceLock::new();

    thread_local! {
        /// MPI ends on the thread on which it has started.
        static MPI: RefCell<Option<Mpi>> = const { RefCell::new(None) };
    }

    pub(super) fn start(deadline: Duration) -> Result<Ranks, Error> {
        let Some(launch) = launched().filter(|launch| launch.size > 1) else {
            return Ok(Ranks::default());
        };
        let mpi = Mpi::start(deadline, |reason| {
            print::error(reason);
            // Without what MPI does when a process ends, for which it would wait.
            #[cfg(unix)]
            signal_hook::low_level::exit(1);
        })?;
        let ranks = RANKS.get_or_init(|| mpi.ranks()).clone();
        MPI.set(Some(mpi));
        Ok(Ranks::new(ranks).on_this_machine(launch.local_rank.unwrap_or_default()))
    }

    /// Takes leave of the other ranks, as all of them do.
    pub(crate) fn leave() {
        MPI.take();
    }

    /// Tells an error: one of all ranks once, before they take leave of each other. One of this rank alone ends all of them,
    /// with `code`.
    pub(crate) fn tell(error: &Error, code: u8) {
        let Some(ranks) = RANKS.get() else {
            return print::error(error);
        };
        let rank = Ranks::new(ranks.clone()).rank();
        if error.is_of_all_ranks() {
            if rank == 0 {
                print::error(error);
            }
            return;
        }
        if rank > 0 {
            thread::sleep(FIRST_SPEAKS);
        }
        print::error(format_args!("rank {rank}: {error}"));
        ranks.end_all(code);
    }
}

#[cfg(not(feature = "mpi"))]
mod without_mpi {
    use std::time::Duration;

    use xsam_lab::{Error, Ranks};

    use crate::print;

    /// This process waits for no other.
    pub(super) fn start(_deadline: Duration) -> Result<Ranks, Error> {
        match xsam_mpi::launched() {
            Some(launch) if launch.size > 1 => Err(Error::NoMpi { size: launch.size }),
            _ => Ok(Ranks::default()),
        }
    }

    pub(crate) fn leave() {}

    pub(crate) fn tell(error: &Error, _code: u8) {
        print::error(error);
    }
}
