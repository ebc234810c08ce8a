//! Where bars are drawn: on standard error, with room for what a terminal shows of Ctrl-C.

use std::io;

use console::Term;
use indicatif::{MultiProgress, ProgressDrawTarget, TermLike};

/// How often a second bars are drawn at most.
const RATE: u8 = 20;

/// Columns that are free behind the cursor: `^C` takes two.
const ROOM: usize = 3;

/// Bars on the terminal.
pub(crate) fn multi_progress() -> MultiProgress {
    let screen = Box::new(Screen(Term::buffered_stderr()));
    MultiProgress::with_draw_target(ProgressDrawTarget::term_like_with_hz(screen, RATE))
}

/// What cannot be drawn is not drawn. A terminal may go away while the program goes on, and bars that are told of it panic.
fn drawn(_result: io::Result<()>) -> io::Result<()> {
    Ok(())
}

/// The terminal. Bars are as wide as it is, and leave the cursor at its edge, where `^C` would begin a line: the next
/// drawing would be one line below the one it replaces.
#[derive(Debug)]
struct Screen(Term);

impl TermLike for Screen {
    fn width(&self) -> u16 {
        self.0.size().1
    }

    fn height(&self) -> u16 {
        self.0.size().0
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        drawn(self.0.move_cursor_up(n))
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        drawn(self.0.move_cursor_down(n))
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        drawn(self.0.move_cursor_right(n))
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        drawn(self.0.move_cursor_left(n))
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        drawn(self.0.write_line(text))
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        drawn(self.0.write_str(text))
    }

    fn clear_line(&self) -> io::Result<()> {
        drawn(self.0.clear_line())
    }

    /// After each drawing, and after the bars were removed, which leaves the cursor at the beginning of its line.
    fn flush(&self) -> io::Result<()> {
        drawn(self.0.move_cursor_left(ROOM).and_then(|()| self.0.flush()))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs::File;

    use indicatif::ProgressBar;

    use super::*;

    #[test]
    fn bars_on_a_terminal_that_is_gone_end_nothing() {
        let nowhere = File::options().write(true).open("/dev/full").unwrap();
        let term = Term::read_write_pair(File::open("/dev/null").unwrap(), nowhere);
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(Screen(term)), RATE);
        let bars = MultiProgress::with_draw_target(target);
        let bar = bars.add(ProgressBar::new(2));
        bar.tick();
        assert_eq!(bars.suspend(|| "said"), "said");
        bars.clear().unwrap();
        bar.finish_and_clear();
    }
}
