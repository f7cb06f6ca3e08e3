//! The file of the master key: read at each start, made at the first. Never one that others may read.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use ambit_core::entropy::Entropy;
use ambit_core::keys::MasterKey;

use crate::output::Failure;

/// The key in a file; none where there is no file.
pub fn read(path: &Path) -> Result<Option<MasterKey>, Failure> {
    let about = |what: String| Failure::usage(format!("master key {}: {what}", path.display()));
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(about(error.to_string())),
    };
    let mode = std::fs::metadata(path).map_err(|error| about(error.to_string()))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(about(format!("others may read it (mode {:o}): chmod 600 it", mode & 0o777)));
    }
    MasterKey::parse(&text).map(Some).map_err(|error| about(error.to_string()))
}

/// A new key in a new file. Of several nodes that start at once on one file, one makes it and the others read it.
pub fn make(path: &Path, entropy: &dyn Entropy) -> Result<MasterKey, Failure> {
    let key = MasterKey::generate(entropy);
    let made = write_whole(path, &key, entropy);
    made.map_err(|error| Failure::usage(format!("master key {}: {error}", path.display())))?;
    // What is in the file counts, whoever wrote it.
    read(path)?.ok_or_else(|| Failure::usage(format!("master key {}: it was taken away again", path.display())))
}

/// Written under another name, and given its own once it is whole and durable: a crash leaves no half of a key behind.
fn write_whole(path: &Path, key: &MasterKey, entropy: &dyn Entropy) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut unique = [0; 8];
    entropy.fill(&mut unique);
    let partial = folder.join(format!(".master-key-{:016x}", u64::from_be_bytes(unique)));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial)?;
    let written = writeln!(file, "{}", *key.expose_secret()).and_then(|()| file.sync_all());
    // A link takes no name that is taken, unlike a rename.
    let named = written.and_then(|()| std::fs::hard_link(&partial, path));
    std::fs::remove_file(&partial)?;
    match named {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }?;
    // Keys will be encrypted under it: its name must not be lost in a crash that they survive.
    File::open(folder)?.sync_all()
}
