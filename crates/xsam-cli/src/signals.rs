//! What asks the program to stop: Ctrl-C, and on Unix SIGTERM and SIGHUP, which comes when a terminal is closed. SIGHUP
//! stays ignored where it is: `nohup xsam train .. &` outlives its terminal.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::MultiProgress;
use xsam_lab::StopSignal;

use crate::print;

/// A signal that Ctrl-C, SIGTERM and a terminal that is closed set. The second Ctrl-C or SIGTERM ends the program at once.
pub fn stop_on_interrupt() -> StopSignal {
    stop_below(None)
}

/// The same; what is said then stays above `bars`.
pub(crate) fn stop_below(bars: Option<&MultiProgress>) -> StopSignal {
    let stop = StopSignal::default();
    let (handler, bars) = (stop.clone(), bars.cloned());
    // Not whether it is to stop: a comparison asks the processes of its runs, to which Ctrl-C on a terminal comes as well.
    let asked = AtomicBool::new(false);
    let set = on_request(move |by| {
        if asked.swap(true, Ordering::SeqCst) {
            if by == By::Terminal {
                return;
            }
            if let Some(bars) = &bars {
                let _ = bars.clear();
            }
            std::process::exit(130);
        }
        handler.stop();
        // The terminal shows `^C`, behind which nothing else belongs; bars leave room for it.
        let line = if bars.is_some() { "" } else { "\n" };
        print::above(
            bars.as_ref(),
            format_args!(
                "{line}{}: stopping; once more to stop at once",
                print::name()
            ),
        );
    });
    if let Err(error) = set {
        // Training works without; only stopping is less gentle.
        print::error(format_args!("Ctrl-C will end the program at once: {error}"));
    }
    stop
}

/// By whom the program is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// Somebody, who may ask again.
    Somebody,
    /// A terminal that is closed, of which a shell and the system may both tell.
    Terminal,
}

/// Calls `handler` on another thread each time that the program is asked.
///
/// # Errors
/// If the system does not let it.
pub(crate) fn on_request(
    handler: impl Fn(By) + Send + Sync + 'static,
) -> Result<(), Box<dyn Error>> {
    let handler = Arc::new(handler);
    let of_ctrl_c = handler.clone();
    ctrlc::set_handler(move || of_ctrl_c(By::Somebody))?;
    #[cfg(unix)]
    {
        use signal_hook::consts::{SIGHUP, SIGTERM};
        use signal_hook::iterator::Signals;

        let ignored = ignored();
        let heeded = [SIGHUP, SIGTERM].into_iter();
        let heeded = heeded.filter(|signal| ignored >> (signal - 1) & 1 == 0);
        let mut signals = Signals::new(heeded)?;
        let thread = std::thread::Builder::new().name("signals".to_owned());
        thread.spawn(move || {
            signals.forever().for_each(|signal| match signal {
                SIGHUP => handler(By::Terminal),
                _ => handler(By::Somebody),
            })
        })?;
    }
    Ok(())
}

/// The signals that this process was started to ignore, a bit for each; none where the system does not tell.
#[cfg(unix)]
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let bits = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    bits.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok())
        .unwrap_or_default()
}
