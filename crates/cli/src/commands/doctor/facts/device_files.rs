//! The files through which programs use GPUs, and whether this user may open them.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

/// Single files: AMD's compute interface and NVIDIA's control device.
const SINGLE_FILES: [&str; 2] = ["/dev/kfd", "/dev/nvidiactl"];

const DRI_DIR: &str = "/dev/dri";
const RENDER_PREFIX: &str = "renderD";

/// A device file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct DeviceFile {
    pub(in super::super) path: PathBuf,
    /// The group that owns the file; its number if it has no name.
    pub(in super::super) group: String,
    /// This user may read and write the file.
    pub(in super::super) is_usable: bool,
}

/// Lists the device files of GPUs.
pub(super) fn read() -> Vec<DeviceFile> {
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    let rendering = fs::read_dir(DRI_DIR).into_iter().flatten().flatten();
    let rendering = rendering.filter(|entry| {
        entry
            .file_name()
            .to_string_lossy()
            .starts_with(RENDER_PREFIX)
    });
    let single = SINGLE_FILES.iter().map(PathBuf::from);
    let mut paths: Vec<_> = rendering.map(|entry| entry.path()).chain(single).collect();
    paths.sort();
    paths
        .iter()
        .filter_map(|path| describe(path, &groups))
        .collect()
}

fn describe(path: &Path, groups: &str) -> Option<DeviceFile> {
    let metadata = fs::metadata(path).ok()?;
    Some(DeviceFile {
        path: path.to_owned(),
        group: group_name(groups, metadata.gid()),
        is_usable: access(path, Access::READ_OK | Access::WRITE_OK).is_ok(),
    })
}

/// Finds a group in the text of /etc/group.
fn group_name(groups: &str, id: u32) -> String {
    let id = id.to_string();
    let mut names = groups.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == id).then(|| name.to_owned())
    });
    names.next().unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_have_names() {
        let groups = "root:x:0:\nrender:x:105:me\n";
        assert_eq!(group_name(groups, 105), "render");
        assert_eq!(group_name(groups, 7), "7");
    }
}
