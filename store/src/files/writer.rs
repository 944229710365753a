//! Writes one blob to a file.

use std::fs::File;
use std::io::{self, Write};
use std::sync::mpsc::{self, SyncSender};
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use tempfile::NamedTempFile;

use super::{BlobFolder, create_dir_durably, locked_temp_file};
use crate::blob::BlobWriter;
use crate::digest::Digest;
use crate::error::Result;

/// Number of bytes after which a sync starts in the background while more are written.
const STRETCH: u64 = 16 << 20;

/// A blob being written to a file in `tmp`. Dropping it removes the file.
#[derive(Debug)]
pub struct FileWriter {
    folder: BlobFolder,
    file: NamedTempFile,
    size: u64,
    ahead: Option<SyncAhead>,
}

impl FileWriter {
    pub(super) fn create(folder: &BlobFolder) -> io::Result<Self> {
        let tmp = folder.tmp();
        create_dir_durably(&tmp)?;
        let file = locked_temp_file(&tmp)?;
        Ok(Self { folder: folder.clone(), file, size: 0, ahead: None })
    }
}

impl Write for FileWriter {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let room = STRETCH - self.size % STRETCH;
        let part = &buf[..buf.len().min(room as usize)];
        let written = self.file.as_file_mut().write(part)?;
        self.size += written as u64;
        if written as u64 == room {
            let ahead = self.ahead.take().or_else(|| SyncAhead::start(self.file.as_file()));
            self.ahead = ahead.inspect(SyncAhead::go_on);
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_file_mut().flush()
    }
}

impl BlobWriter for FileWriter {
    fn write_bytes(&mut self, bytes: Bytes) -> io::Result<()> {
        self.write_all(&bytes)
    }

    fn finish(self: Box<Self>, digest: &Digest) -> Result<()> {
        let Self { folder, file, size, ahead } = *self;
        let keep = || {
            // A blob of another size is damaged and is replaced. The folder of an existing one is synced too,
            // because its writer may not have done so yet.
            if !folder.holds(digest, size)? {
                set_read_only(file.as_file())?;
                // Before the sync of the file, so that a journal takes both at once.
                folder.create_folder(digest)?;
                ahead.map_or(Ok(()), SyncAhead::finish)?;
                file.as_file().sync_all()?;
                file.persist(folder.path(digest))?;
            }
            folder.sync_folders([digest])
        };
        keep().map_err(|error| folder.failed("write", digest, error))
    }
}

/// Writes a small blob to a file in `tmp`, durably.
pub(super) fn stage(folder: &BlobFolder, bytes: &[u8]) -> io::Result<NamedTempFile> {
    let mut writer = FileWriter::create(folder)?;
    writer.write_all(bytes)?;
    set_read_only(writer.file.as_file())?;
    writer.file.as_file().sync_all()?;
    Ok(writer.file)
}

fn set_read_only(file: &File) -> io::Result<()> {
    let mut permissions = file.metadata()?.permissions();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        permissions.set_mode(permissions.mode() & 0o444);
    }
    #[cfg(not(unix))]
    permissions.set_readonly(true);
    file.set_permissions(permissions)
}

/// A thread that syncs the bytes written so far, so that the last sync has little left to do.
#[derive(Debug)]
struct SyncAhead {
    orders: SyncSender<()>,
    thread: JoinHandle<io::Result<()>>,
}

impl SyncAhead {
    /// Returns `None` if no thread can be started; the last sync then does all the work.
    fn start(file: &File) -> Option<Self> {
        let file = file.try_clone().ok()?;
        let (orders, ordered) = mpsc::sync_channel(1);
        let sync = move || ordered.into_iter().try_for_each(|()| file.sync_data());
        let thread = thread::Builder::new().spawn(sync).ok()?;
        Some(Self { orders, thread })
    }

    fn go_on(&self) {
        // A pending order covers this stretch too.
        let _ = self.orders.try_send(());
    }

    /// Ends the thread. The system reports a failed write-back only once, so an error seen by this thread fails
    /// the whole blob.
    fn finish(self) -> io::Result<()> {
        drop(self.orders);
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("the syncing thread panicked")))
    }
}
