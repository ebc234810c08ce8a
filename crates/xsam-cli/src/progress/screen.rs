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
        self.0.move_cursor_up(n)
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_down(n)
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_right(n)
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_left(n)
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.0.write_line(text)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.0.write_str(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.0.clear_line()
    }

    /// After each drawing, and after the bars were removed, which leaves the cursor at the beginning of its line.
    fn flush(&self) -> io::Result<()> {
        self.0.move_cursor_left(ROOM)?;
        self.0.flush()
    }
}
