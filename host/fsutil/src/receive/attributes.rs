//! The extended attributes that an entry gets when it is complete.

use std::os::fd::AsFd;

use rustix::fs::{XattrFlags, fsetxattr};

use crate::wire::Xattr;

/// Maximum length of a name and of a value that the kernel accepts, in bytes.
const LONGEST_NAME: usize = 255;
const LONGEST_VALUE: usize = 64 << 10;

/// Extended attributes in one piece of memory: for each, the lengths of name and value, name and value.
/// The received ones are views into whole messages, which must not stay in memory because of them.
#[derive(Default)]
pub(super) struct Attributes(Box<[u8]>);

impl Attributes {
    /// Copies the attributes that the kernel accepts.
    pub(super) fn keep(xattrs: &[Xattr]) -> Self {
        let mut kept = Vec::new();
        for Xattr { name, value } in xattrs {
            if (1..=LONGEST_NAME).contains(&name.len()) && value.len() <= LONGEST_VALUE {
                kept.push(name.len() as u8);
                kept.extend_from_slice(&(value.len() as u32).to_ne_bytes());
                kept.extend_from_slice(name);
                kept.extend_from_slice(value);
            }
        }
        Self(kept.into())
    }

    /// Returns the size in memory, in bytes.
    pub(super) fn size(&self) -> usize {
        self.0.len()
    }

    /// Sets the attributes. As in BuildKit, those that cannot be set are left out.
    pub(super) fn apply(&self, file: impl AsFd) {
        let mut rest = &self.0[..];
        while let Some((name, value)) = next(&mut rest) {
            let _ = fsetxattr(&file, name, value, XattrFlags::empty());
        }
    }
}

fn next<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let (length, behind) = rest.split_first()?;
    let (value_length, behind) = behind.split_first_chunk()?;
    let (name, behind) = behind.split_at_checked(usize::from(*length))?;
    let (value, behind) = behind.split_at_checked(u32::from_ne_bytes(*value_length) as usize)?;
    *rest = behind;
    Some((name, value))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn attributes_come_back_unless_the_kernel_refuses_them() {
        let xattr = |name: &[u8], length: usize| Xattr {
            name: Bytes::copy_from_slice(name),
            value: Bytes::from(vec![7; length]),
        };
        let kept = Attributes::keep(&[
            xattr(b"user.a", 0),
            xattr(b"", 1),
            xattr(&[b'x'; 256], 1),
            xattr(b"user.b", LONGEST_VALUE + 1),
            xattr(&[b'x'; 255], LONGEST_VALUE),
        ]);
        let mut rest = &kept.0[..];
        let mut found = Vec::new();
        while let Some((name, value)) = next(&mut rest) {
            found.push((name, value.len()));
        }
        assert_eq!(found, [(&b"user.a"[..], 0), (&[b'x'; 255], LONGEST_VALUE)]);
        assert_eq!(Attributes::keep(&[]).size(), 0);
    }
}
