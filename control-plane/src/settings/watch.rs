//! Notices that a file changed, by looking at it twice a second: no dependency, and editors that replace files do no harm.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How often to look.
pub const INTERVAL: Duration = Duration::from_millis(500);

/// What a file looked like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    modified: Option<SystemTime>,
    size: u64,
}

/// A file under watch.
#[derive(Debug)]
pub struct Watched {
    path: PathBuf,
    /// As it was when it was last taken.
    taken: Option<Look>,
    /// As it was at the last look.
    seen: Option<Look>,
}

impl Watched {
    /// Begins; the file as it is now is not a change.
    pub fn new(path: &Path) -> Watched {
        let now = look(path);
        Watched { path: path.to_path_buf(), taken: now, seen: now }
    }

    /// Whether the file is another since it was last said so, and has been left alone since the last look: half a file is
    /// often a good file with another meaning. A file that is gone is no change, it may be about to come back.
    pub fn changed(&mut self) -> bool {
        let now = look(&self.path);
        let quiet = now == std::mem::replace(&mut self.seen, now);
        let changed = quiet && now.is_some() && now != self.taken;
        if changed {
            self.taken = now;
        }
        changed
    }
}

fn look(path: &Path) -> Option<Look> {
    let metadata = std::fs::metadata(path).ok()?;
    Some(Look { modified: metadata.modified().ok(), size: metadata.len() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::Directory;

    #[test]
    fn a_change_is_told_once_and_only_when_the_writing_has_ended() {
        let directory = Directory::new();
        std::fs::create_dir(&directory.0).unwrap();
        let path = directory.0.join("f");
        let mut watched = Watched::new(&path);
        assert!(!watched.changed());
        std::fs::write(&path, "a").unwrap();
        assert!(!watched.changed(), "just written");
        std::fs::write(&path, "ab").unwrap();
        assert!(!watched.changed(), "still being written");
        assert!(watched.changed());
        assert!(!watched.changed());
        std::fs::remove_file(&path).unwrap();
        assert!(!watched.changed() && !watched.changed(), "gone");
    }
}
