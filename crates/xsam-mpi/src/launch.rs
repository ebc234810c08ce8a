//! What a launcher says of the processes that it has started.

use std::env;

/// How a process was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Launch {
    /// How many processes were started together.
    pub size: usize,
    /// Which of them this is, from 0.
    pub rank: usize,
    /// Which of those on this machine it is, from 0, if the launcher says.
    pub local_rank: Option<usize>,
    /// The environment variable that says how many.
    pub variable: &'static str,
}

/// Variables with the number of processes, which one this is, and which one on its machine. The first row whose number that is set counts: `mpirun` within a job
/// of Slurm starts its processes from one of Slurm's own.
const VARIABLES: [[&str; 3]; 4] = [
    [
        "OMPI_COMM_WORLD_SIZE",
        "OMPI_COMM_WORLD_RANK",
        "OMPI_COMM_WORLD_LOCAL_RANK",
    ],
    ["PMI_SIZE", "PMI_RANK", "MPI_LOCALRANKID"],
    [
        "MV2_COMM_WORLD_SIZE",
        "MV2_COMM_WORLD_RANK",
        "MV2_COMM_WORLD_LOCAL_RANK",
    ],
    ["SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "SLURM_LOCALID"],
];

/// What `mpirun` or `srun` says of this process; nothing if neither has started it.
pub fn launched() -> Option<Launch> {
    launched_by(number)
}

fn launched_by(number: impl Fn(&'static str) -> Option<usize>) -> Option<Launch> {
    VARIABLES.into_iter().find_map(|[variable, rank, local]| {
        Some(Launch {
            size: number(variable)?,
            rank: number(rank)?,
            local_rank: number(local),
            variable,
        })
    })
}

fn number(variable: &str) -> Option<usize> {
    env::var(variable).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, usize)]) -> Option<(usize, usize, Option<usize>)> {
        let found = launched_by(|name| {
            let mut set = variables.iter();
            set.find(|(variable, _)| *variable == name)
                .map(|(_, number)| *number)
        });
        found.map(|launch| (launch.size, launch.rank, launch.local_rank))
    }

    #[test]
    fn mpirun_within_slurm_counts() {
        let slurm = [("SLURM_STEP_NUM_TASKS", 2), ("SLURM_PROCID", 1)];
        assert_eq!(of(&slurm), Some((2, 1, None)));
        let local = [("SLURM_LOCALID", 0)];
        assert_eq!(of(&[&slurm[..], &local].concat()), Some((2, 1, Some(0))));
        let open_mpi = [("OMPI_COMM_WORLD_SIZE", 8), ("OMPI_COMM_WORLD_RANK", 5)];
        assert_eq!(of(&[slurm, open_mpi].concat()), Some((8, 5, None)));
        // In a batch script, that is not started as one of several.
        assert_eq!(of(&[("SLURM_PROCID", 0)]), None);
        assert_eq!(of(&[]), None);
    }
}
