//! The group of new files and folders.

use std::fs::File;
use std::io;
use std::path::Path;

/// Gives a new file the group of its folder, as far as this process may: in a folder that a group shares, each of its
/// members can use what another one wrote, whatever the writer's own group is.
///
/// The permissions of new files are those of the process (its umask). Elsewhere than on Unix this does nothing.
#[cfg(unix)]
pub(super) fn follow_group(file: &File, folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};

    let wanted = std::fs::metadata(folder)?.gid();
    if file.metadata()?.gid() != wanted {
        // A process outside the group may not.
        let _ = fchown(file, None, Some(wanted));
    }
    Ok(())
}

/// As `follow_group`, for a new entry of `folder` that has its final name.
///
/// # Errors
/// Errors of the system, if the entry or the folder cannot be examined.
#[cfg(unix)]
pub fn follow_group_at(path: &Path, folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, lchown};

    let wanted = std::fs::metadata(folder)?.gid();
    if std::fs::symlink_metadata(path)?.gid() != wanted {
        let _ = lchown(path, None, Some(wanted));
    }
    Ok(())
}

#[cfg(not(unix))]
pub(super) fn follow_group(_: &File, _: &Path) -> io::Result<()> {
    Ok(())
}

/// Does nothing on this system.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn follow_group_at(_: &Path, _: &Path) -> io::Result<()> {
    Ok(())
}
