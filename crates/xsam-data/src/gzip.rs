//! Streams compressed by gzip.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

/// More members than a file of 4 GB has that was compressed in blocks. Each costs time, whatever is in it.
const MEMBERS: u32 = 1 << 16;

/// What the members of a stream hold, one after another.
pub(crate) struct Gunzip<R> {
    member: Option<GzDecoder<R>>,
    /// How many more there may be.
    left: u32,
}

impl<R: BufRead> Gunzip<R> {
    pub(crate) fn new(input: R) -> Self {
        Self {
            member: Some(GzDecoder::new(input)),
            left: MEMBERS - 1,
        }
    }
}

impl<R: BufRead> Read for Gunzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let (Some(member), false) = (&mut self.member, buffer.is_empty()) {
            let n = member.read(buffer)?;
            if n > 0 {
                return Ok(n);
            }
            if member.get_mut().fill_buf()?.is_empty() {
                break;
            }
            let Some(left) = self.left.checked_sub(1) else {
                let reason = format!("it has more than {MEMBERS} members of gzip");
                return Err(io::Error::other(reason));
            };
            self.left = left;
            self.member = self.member.take().map(|m| GzDecoder::new(m.into_inner()));
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn gunzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        Gunzip::new(bytes).read_to_end(&mut out).map(|_| out)
    }

    #[test]
    fn members_are_read_one_after_another() {
        let members = [gzip(b"one "), gzip(b""), gzip(b"two")].concat();
        assert_eq!(gunzip(&members).unwrap(), b"one two");
        assert_eq!(gunzip(&gzip(b"")).unwrap(), b"");
        for damaged in [&members[..members.len() - 1], b"", b"\x1f\x8b"] {
            assert!(gunzip(damaged).is_err());
        }
        let followed = [&members[..], b"more"].concat();
        assert!(gunzip(&followed).is_err());
    }

    #[test]
    fn more_empty_members_than_any_file_has_are_refused() {
        let fine = gzip(b"").repeat(MEMBERS as usize);
        assert_eq!(gunzip(&fine).unwrap(), b"");
        let error = gunzip(&[fine, gzip(b"")].concat()).unwrap_err().to_string();
        assert_eq!(error, "it has more than 65536 members of gzip");
    }
}
