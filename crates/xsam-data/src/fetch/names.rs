//! Names of files from elsewhere: in archives and in lists.

/// Folders in one another; published data have three. Each name may make so many.
const DEEPEST: usize = 16;

/// The parts of a name of something in a folder, or why it is not one that leads there.
pub(super) fn parts(name: &str) -> Result<Vec<&str>, &'static str> {
    if name.is_empty() || name.starts_with('/') {
        return Err("is not a path inside a folder");
    }
    // A backslash and a colon mean more to Windows.
    let is_odd = |c: char| c.is_control() || matches!(c, '\\' | ':');
    if name.chars().any(is_odd) {
        return Err("has characters that no file should have");
    }
    let parts = name.split('/');
    let parts: Vec<&str> = parts
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    if parts.contains(&"..") {
        return Err("leads out of the folder");
    }
    if parts.len() > DEEPEST {
        return Err("is in too many folders");
    }
    Ok(parts)
}

/// A name as it is told, and of one without end its beginning.
pub(super) fn shown(name: &str) -> String {
    const LONGEST: usize = 200;
    match name.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{:?}..", &name[..end]),
        None => format!("{name:?}"),
    }
}
