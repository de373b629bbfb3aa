//! The data types of the SSH protocol (RFC 4251, section 5).

/// Reads values from bytes. Every method returns `None` if the bytes end too early.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    pub(super) fn number(&mut self) -> Option<u32> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*number))
    }

    pub(super) fn string(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (string, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(string)
    }
}

/// Appends a number.
pub(super) fn put_number(to: &mut Vec<u8>, number: usize) {
    to.extend(u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes());
}

/// Appends a string, with its length before it.
pub(super) fn put_string(to: &mut Vec<u8>, string: &[u8]) {
    put_number(to, string.len());
    to.extend(string);
}

/// Appends a number of any size that is not negative, from its bytes in big-endian order.
pub(super) fn put_integer(to: &mut Vec<u8>, bytes: &[u8]) {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let bytes = &bytes[zeros..];
    // The first bit is the sign.
    let is_padded = bytes.first().is_some_and(|first| first & 0x80 != 0);
    put_number(to, bytes.len() + usize::from(is_padded));
    if is_padded {
        to.push(0);
    }
    to.extend(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_in_the_rfc() {
        for (bytes, expected) in [
            (&[][..], &[0, 0, 0, 0][..]),
            (&[0, 0], &[0, 0, 0, 0]),
            (&[0, 0x7f], &[0, 0, 0, 1, 0x7f]),
            (&[0x80], &[0, 0, 0, 2, 0, 0x80]),
        ] {
            let mut written = Vec::new();
            put_integer(&mut written, bytes);
            assert_eq!(written, expected);
        }
    }

    #[test]
    fn bytes_that_end_too_early_are_no_value() {
        assert_eq!(Reader(&[]).byte(), None);
        assert_eq!(Reader(&[0, 0, 1]).number(), None);
        assert_eq!(Reader(&[0, 0, 0, 2, 1]).string(), None);
        assert_eq!(Reader(&[0xff, 0xff, 0xff, 0xff, 1]).string(), None);
        let mut reader = Reader(&[0, 0, 0, 1, 7, 8]);
        assert_eq!(reader.string(), Some(&[7][..]));
        assert_eq!(reader.byte(), Some(8));
    }
}
