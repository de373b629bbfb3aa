//! File modes: BuildKit sends Go's `os.FileMode`, the kernel uses `st_mode`.
//!
//! The permission bits are the same, all other bits differ.

/// Directory.
pub const DIRECTORY: u32 = 1 << 31;
/// Symbolic link.
pub const SYMLINK: u32 = 1 << 27;
/// Device. A character device has [`CHARACTER_DEVICE`] as well.
pub const DEVICE: u32 = 1 << 26;
/// Named pipe (FIFO).
pub const NAMED_PIPE: u32 = 1 << 25;
/// Unix socket. Never sent: the sender clears it, so a socket looks like a regular file.
pub const SOCKET: u32 = 1 << 24;
/// Set user ID on execution.
pub const SET_USER_ID: u32 = 1 << 23;
/// Set group ID on execution.
pub const SET_GROUP_ID: u32 = 1 << 22;
/// Character device, together with [`DEVICE`].
pub const CHARACTER_DEVICE: u32 = 1 << 21;
/// Sticky bit.
pub const STICKY: u32 = 1 << 20;
/// File of unknown type.
pub const IRREGULAR: u32 = 1 << 19;
/// The nine permission bits.
pub const PERMISSIONS: u32 = 0o777;
/// All bits of the file type. A regular file has none.
pub const TYPE: u32 =
    DIRECTORY | SYMLINK | NAMED_PIPE | SOCKET | DEVICE | CHARACTER_DEVICE | IRREGULAR;

/// Returns whether a receiver may request the content of a file with this mode. Sender and receiver
/// must agree on it.
pub const fn is_requestable(mode: u32) -> bool {
    mode & TYPE == 0
}

/// Converts a kernel mode to Go's mode.
pub const fn from_st_mode(st_mode: u32) -> u32 {
    let mut mode = st_mode & PERMISSIONS;
    mode |= match st_mode & libc::S_IFMT {
        libc::S_IFREG => 0,
        libc::S_IFDIR => DIRECTORY,
        libc::S_IFLNK => SYMLINK,
        libc::S_IFIFO => NAMED_PIPE,
        libc::S_IFSOCK => SOCKET,
        libc::S_IFBLK => DEVICE,
        libc::S_IFCHR => DEVICE | CHARACTER_DEVICE,
        _ => IRREGULAR,
    };
    if st_mode & libc::S_ISUID != 0 {
        mode |= SET_USER_ID;
    }
    if st_mode & libc::S_ISGID != 0 {
        mode |= SET_GROUP_ID;
    }
    if st_mode & libc::S_ISVTX != 0 {
        mode |= STICKY;
    }
    mode
}

/// Converts Go's mode to a kernel mode, or returns `None` if the type bits are not those of a
/// single type.
pub const fn to_st_mode(mode: u32) -> Option<u32> {
    const CHARACTER: u32 = DEVICE | CHARACTER_DEVICE;
    let kind = match mode & TYPE {
        0 => libc::S_IFREG,
        DIRECTORY => libc::S_IFDIR,
        SYMLINK => libc::S_IFLNK,
        NAMED_PIPE => libc::S_IFIFO,
        SOCKET => libc::S_IFSOCK,
        DEVICE => libc::S_IFBLK,
        CHARACTER => libc::S_IFCHR,
        _ => return None,
    };
    let mut st_mode = kind | (mode & PERMISSIONS);
    if mode & SET_USER_ID != 0 {
        st_mode |= libc::S_ISUID;
    }
    if mode & SET_GROUP_ID != 0 {
        st_mode |= libc::S_ISGID;
    }
    if mode & STICKY != 0 {
        st_mode |= libc::S_ISVTX;
    }
    Some(st_mode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_modes_survive_the_round_trip() {
        let kinds = [
            libc::S_IFREG,
            libc::S_IFDIR,
            libc::S_IFLNK,
            libc::S_IFIFO,
            libc::S_IFSOCK,
            libc::S_IFBLK,
            libc::S_IFCHR,
        ];
        for kind in kinds {
            for low in [0o000, 0o644, 0o777, 0o4755, 0o2755, 0o1777, 0o7777] {
                assert_eq!(to_st_mode(from_st_mode(kind | low)), Some(kind | low));
            }
        }
    }

    #[test]
    fn the_bits_are_those_of_go() {
        assert_eq!(from_st_mode(libc::S_IFDIR | 0o755), 0x8000_01ed);
        assert_eq!(from_st_mode(libc::S_IFLNK | 0o777), 0x0800_01ff);
        assert_eq!(from_st_mode(libc::S_IFCHR | 0o600), 0x0420_0180);
        assert_eq!(from_st_mode(libc::S_IFREG | 0o4711), 0x0080_01c9);
    }

    #[test]
    fn a_mixture_of_types_is_no_mode() {
        assert_eq!(to_st_mode(DIRECTORY | SYMLINK), None);
        assert_eq!(to_st_mode(CHARACTER_DEVICE), None);
        assert_eq!(to_st_mode(IRREGULAR), None);
    }

    #[test]
    fn only_regular_files_are_requestable() {
        assert!(is_requestable(0o644));
        assert!(is_requestable(0o644 | SET_USER_ID | STICKY));
        assert!(!is_requestable(DIRECTORY | 0o755));
        assert!(!is_requestable(SYMLINK | 0o777));
        assert!(!is_requestable(NAMED_PIPE));
    }
}
