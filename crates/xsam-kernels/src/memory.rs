//! Memory that a step frees and the next one takes again.

use std::ffi::c_long;

use libmimalloc_sys::{mi_option_set_default, mi_option_t, mi_option_use_numa_nodes};

/// `mi_option_purge_delay` of `mimalloc.h`, which the binding leaves out; it comes before this one.
const PURGE_DELAY: mi_option_t = mi_option_use_numa_nodes - 1;
const NEVER: c_long = -1;

/// Has mimalloc keep all memory that is freed, for a program that has it as its allocator.
///
/// A step of training takes what the last one freed. By default mimalloc gives free memory back to the
/// system from time to time, which clears every page of it before it can be used again: up to a tenth
/// of a step's time, for the twentieth part of its memory. A delay that is set from outside
/// (`MIMALLOC_PURGE_DELAY`) stays.
pub fn keep_freed_memory() {
    // SAFETY: the option exists in all versions that the binding has, and mimalloc may be asked to
    // change it at any time.
    unsafe { mi_option_set_default(PURGE_DELAY, NEVER) };
}

#[cfg(test)]
mod tests {
    use libmimalloc_sys::mi_option_get;

    use super::*;

    #[test]
    fn nothing_is_purged_unless_the_environment_says_so() {
        // SAFETY: as above.
        let get = || unsafe { mi_option_get(PURGE_DELAY) };
        let before = get();
        keep_freed_memory();
        match std::env::var_os("MIMALLOC_PURGE_DELAY") {
            None => assert_eq!(get(), NEVER),
            Some(_) => assert_eq!(get(), before),
        }
    }
}
