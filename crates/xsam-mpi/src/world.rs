//! All processes that were started together.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ferrompi::{Communicator, MpiDatatype, ReduceOp, ThreadLevel};
use xsam::Collective;
use xsam::collective::CollectiveError;

use crate::launch::launched;
use crate::watchdog::Watchdog;

/// Elements that are summed at a time: in pieces of a mebibyte a large sum takes half the time of one in one piece.
const PIECE: usize = 1 << 18;

/// MPI, from its start to its end; one in the life of a process.
///
/// It stays on the thread that has started it, and is dropped there.
pub struct Mpi {
    ranks: Arc<MpiRanks>,
    // Dropped last: it ends MPI.
    _handle: ferrompi::Mpi,
}

impl std::fmt::Debug for Mpi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Mpi").field(&self.ranks).finish()
    }
}

impl Mpi {
    /// Starts MPI. All processes that were started together do so.
    ///
    /// From the first sum of gradients on, a call that the other ranks do not answer within `deadline` ends this process:
    /// with `told` of it, which may end the process its own way, and else by an abort. Before that ranks may wait for each
    /// other's data.
    ///
    /// # Errors
    /// If MPI does not start, does not let several threads take turns, or does not know of the processes that the launcher has
    /// started: then the program was linked with another MPI than the launcher's.
    pub fn start(
        deadline: Duration,
        told: impl Fn(&str) + Send + 'static,
    ) -> Result<Self, CollectiveError> {
        let handle = ferrompi::Mpi::init_thread(ThreadLevel::Serialized).map_err(failed)?;
        if !matches!(
            handle.thread_level(),
            ThreadLevel::Serialized | ThreadLevel::Multiple
        ) {
            let reason = "MPI was built without threads, and a program that trains has several";
            return Err(CollectiveError(reason.to_owned()));
        }
        let world = handle.world();
        let (rank, size) = (world.rank() as usize, world.size() as usize);
        if let Some(launch) = launched()
            && launch.size != size
        {
            return Err(CollectiveError(format!(
                "{} processes were started ({}), and MPI knows of {size}: this program is linked with another MPI than that \
                 of the launcher. Build it with MPICC set to the launcher's, as in MPICC=mpicc.openmpi; srun may need \
                 --mpi=pmix",
                launch.size, launch.variable
            )));
        }
        let expired = move |waited: Duration| {
            told(&format!(
                "rank {rank} of {size} has waited for the others for {} seconds, and leaves: one of them has stopped, or \
                 cannot be reached",
                waited.as_secs_f64().round()
            ));
            std::process::abort();
        };
        let watchdog = Watchdog::start(deadline, expired)
            .map_err(|error| CollectiveError(format!("cannot start a thread: {error}")))?;
        Ok(Self {
            ranks: Arc::new(MpiRanks {
                world,
                watchdog,
                trains: AtomicBool::new(false),
            }),
            _handle: handle,
        })
    }

    /// The ranks, as the optimizer takes them.
    pub fn ranks(&self) -> Arc<MpiRanks> {
        self.ranks.clone()
    }
}

/// The processes that were started together, as ranks. Calls are made by one thread at a time.
pub struct MpiRanks {
    world: Communicator,
    watchdog: Arc<Watchdog>,
    /// Whether gradients have been summed.
    trains: AtomicBool,
}

impl std::fmt::Debug for MpiRanks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "rank {} of {}", self.rank(), self.size())
    }
}

impl MpiRanks {
    fn sum<T: MpiDatatype>(&self, values: &mut [T]) -> Result<(), CollectiveError> {
        self.call(|| {
            let mut pieces = values.chunks_mut(PIECE);
            pieces.try_for_each(|piece| self.world.allreduce_inplace(piece, ReduceOp::Sum))
        })
    }

    fn call(&self, call: impl FnOnce() -> ferrompi::Result<()>) -> Result<(), CollectiveError> {
        let made = match self.trains.load(Ordering::Relaxed) {
            true => self.watchdog.watch(call),
            false => call(),
        };
        made.map_err(failed)
    }

    /// Ends all processes with an exit code.
    pub fn end_all(&self, code: u8) -> ! {
        self.world.abort(i32::from(code))
    }
}

impl Collective for MpiRanks {
    fn rank(&self) -> usize {
        self.world.rank() as usize
    }

    fn size(&self) -> usize {
        self.world.size() as usize
    }

    fn sum_f32(&self, values: &mut [f32]) -> Result<(), CollectiveError> {
        let summed = self.sum(values);
        self.trains.store(true, Ordering::Relaxed);
        summed
    }

    fn sum_f64(&self, values: &mut [f64]) -> Result<(), CollectiveError> {
        self.sum(values)
    }

    fn broadcast(&self, root: usize, bytes: &mut [u8]) -> Result<(), CollectiveError> {
        let root = i32::try_from(root).unwrap_or(-1);
        self.call(|| self.world.broadcast(bytes, root))
    }

    /// Ends all processes with exit code 1. MPI cannot tell the others the reason: whoever calls it tells it before.
    fn abort(&self, _reason: &str) {
        self.end_all(1);
    }
}

fn failed(error: ferrompi::Error) -> CollectiveError {
    CollectiveError(format!("MPI: {error}"))
}
