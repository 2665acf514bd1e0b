//! Reads how much memory the cgroups around this process still allow.
//!
//! Limits apply to all groups below, so every directory from the process's own group up to the mount point is read
//! (Linux, Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst). Inactive page cache is reclaimed
//! before a limit takes effect, so it counts as free, as in the kernel's `MemAvailable`.

use std::collections::HashMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use paddock_supervisor::{KernelCounter, OomGroup};
use procfs_core::process::{MountInfo, MountInfos};
use procfs_core::{FromRead, ProcessCGroups};

/// The file names of one version of cgroups.
struct CgroupFiles {
    /// Files that may hold a limit; the lowest counts.
    limits: &'static [&'static str],
    usage: &'static str,
    /// Field of `memory.stat` with the page cache that is reclaimed first, including groups below.
    inactive: &'static str,
    /// Counter of processes killed for lack of memory, of the group and, in version 2, of groups below.
    kills: (&'static str, Option<&'static str>),
    /// Counter of how often the group reached its own limit; in version 2 only if that led to a kill.
    hits: (&'static str, Option<&'static str>),
}

/// Files of version 2. The limits include `memory.high`, above which the kernel kills no process, but slows it to a
/// crawl.
const V2: CgroupFiles = CgroupFiles {
    limits: &["memory.max", "memory.high"],
    usage: "memory.current",
    inactive: "inactive_file",
    kills: ("memory.events", Some("oom_kill")),
    hits: ("memory.events.local", Some("oom")),
};

/// Files of version 1.
const V1: CgroupFiles = CgroupFiles {
    limits: &["memory.limit_in_bytes"],
    usage: "memory.usage_in_bytes",
    inactive: "total_inactive_file",
    kills: ("memory.oom_control", Some("oom_kill")),
    hits: ("memory.failcnt", None),
};

/// A limit from this value on counts as none: version 1 writes the largest multiple of a page for "no limit".
const UNLIMITED: u64 = 1 << 62;

/// A memory control group.
struct Cgroup {
    directory: PathBuf,
    files: &'static CgroupFiles,
}

/// Returns the bytes left below the tightest limit; `None` without a limit.
pub(super) fn headroom(root: &Path) -> Option<u64> {
    let groups = groups(root);
    groups.iter().filter_map(cgroup_headroom).min()
}

/// Returns the kernel's out-of-memory counters of the groups around this process, the innermost first.
pub(super) fn oom_groups(root: &Path) -> Vec<OomGroup> {
    // With both versions mounted a process is in a group of each, and only one has the memory controller.
    let counts = |group: &Cgroup| group.directory.join(group.files.kills.0).exists();
    let counter = |group: &Cgroup, (file, name): (&str, _)| KernelCounter {
        file: group.directory.join(file),
        name,
    };
    let groups = groups(root).into_iter().filter(counts);
    let groups = groups.map(|group| OomGroup {
        kills: counter(&group, group.files.kills),
        hits: counter(&group, group.files.hits),
        limit: group.directory.join(group.files.limits[0]),
    });
    groups.collect()
}

/// Returns the groups around this process, from its own up to the mount point.
fn groups(root: &Path) -> Vec<Cgroup> {
    let known = ProcessCGroups::from_file(root.join("proc/self/cgroup"));
    let mounts = MountInfos::from_file(root.join("proc/self/mountinfo"));
    let (Ok(known), Ok(mounts)) = (known, mounts) else {
        return Vec::new();
    };
    let mut groups = Vec::new();
    for group in known {
        let unified = group.controllers.is_empty();
        if !unified && !group.controllers.iter().any(|name| name == "memory") {
            continue;
        }
        let files = if unified { &V2 } else { &V1 };
        let Some(mount) = mounts
            .0
            .iter()
            .find(|mount| has_memory_controller(mount, unified))
        else {
            continue;
        };
        let Ok(top) = mount.mount_point.strip_prefix("/") else {
            continue;
        };
        let below = below_mount(&group.pathname, &mount.root).ancestors();
        groups.extend(below.map(|directory| Cgroup {
            directory: root.join(top).join(directory),
            files,
        }));
    }
    groups
}

/// Returns true if a mount has the unified hierarchy, or the memory controller's of version 1.
fn has_memory_controller(mount: &MountInfo, unified: bool) -> bool {
    if unified {
        mount.fs_type == "cgroup2"
    } else {
        mount.fs_type == "cgroup" && mount.super_options.contains_key("memory")
    }
}

/// Returns the group's path below the mount point.
///
/// A container's mount may show only a part of the tree, and the group may lie outside of it
/// (`cgroup_namespaces(7)`): the mount point itself is then the nearest visible group.
fn below_mount<'a>(group: &'a str, mount_root: &str) -> &'a Path {
    let relative = Path::new(group).strip_prefix(mount_root);
    match relative {
        Ok(path)
            if path
                .components()
                .all(|part| matches!(part, Component::Normal(_))) =>
        {
            path
        }
        _ => Path::new(""),
    }
}

fn cgroup_headroom(group: &Cgroup) -> Option<u64> {
    let Cgroup { directory, files } = group;
    let read = |name: &str| fs::read_to_string(directory.join(name)).ok();
    let number = |name: &str| read(name)?.trim().parse::<u64>().ok();
    let limit = files
        .limits
        .iter()
        .filter_map(|name| number(name))
        .filter(|limit| *limit < UNLIMITED)
        .min()?;
    let stat = read("memory.stat").unwrap_or_default();
    let stat: HashMap<_, _> = stat
        .lines()
        .filter_map(|line| line.split_once(' '))
        .collect();
    let inactive = stat
        .get(files.inactive)
        .and_then(|value| value.parse().ok())
        .unwrap_or(0);
    let used = number(files.usage)?.saturating_sub(inactive);
    Some(limit.saturating_sub(used))
}

#[cfg(test)]
mod tests {
    use super::super::FakeRoot;
    use super::*;

    const V2_MOUNT: (&str, &str) = (
        "proc/self/mountinfo",
        "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
         30 20 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n",
    );

    fn headroom_in(files: &[(&str, &str)]) -> Option<u64> {
        headroom(FakeRoot::new(files).path())
    }

    #[test]
    fn every_level_up_to_the_root_counts() {
        let files = [
            V2_MOUNT,
            ("proc/self/cgroup", "0::/outer/inner\n"),
            ("sys/fs/cgroup/outer/inner/memory.max", "max\n"),
            ("sys/fs/cgroup/outer/inner/memory.current", "10\n"),
            ("sys/fs/cgroup/outer/memory.max", "1000\n"),
            ("sys/fs/cgroup/outer/memory.current", "700\n"),
            (
                "sys/fs/cgroup/outer/memory.stat",
                "anon 300\nfile 400\ninactive_file 150\nactive_file 250\n",
            ),
        ];
        assert_eq!(headroom_in(&files), Some(1000 - (700 - 150)));
    }

    #[test]
    fn the_limit_that_slows_counts_like_the_one_that_kills() {
        let files = [
            V2_MOUNT,
            ("proc/self/cgroup", "0::/a\n"),
            ("sys/fs/cgroup/a/memory.max", "1000\n"),
            ("sys/fs/cgroup/a/memory.high", "900\n"),
            ("sys/fs/cgroup/a/memory.current", "100\n"),
        ];
        assert_eq!(headroom_in(&files), Some(800));
    }

    #[test]
    fn a_group_over_its_limit_has_nothing_left() {
        let files = [
            V2_MOUNT,
            ("proc/self/cgroup", "0::/a\n"),
            ("sys/fs/cgroup/a/memory.max", "1000\n"),
            ("sys/fs/cgroup/a/memory.current", "1200\n"),
        ];
        assert_eq!(headroom_in(&files), Some(0));
    }

    #[test]
    fn version_1_is_read_beside_an_empty_version_2() {
        let files = [
            (
                "proc/self/mountinfo",
                "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                 36 31 0:33 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
                 41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
            ),
            ("proc/self/cgroup", "4:memory:/a\n1:cpu:/\n0::/\n"),
            ("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "5000\n"),
            ("sys/fs/cgroup/memory/a/memory.usage_in_bytes", "2000\n"),
            (
                "sys/fs/cgroup/memory/a/memory.stat",
                "inactive_file 1\ntotal_inactive_file 500\n",
            ),
            (
                "sys/fs/cgroup/memory/memory.limit_in_bytes",
                "9223372036854771712\n",
            ),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "1\n"),
        ];
        assert_eq!(headroom_in(&files), Some(3500));
    }

    #[test]
    fn a_container_that_sees_its_own_part_of_the_tree_is_understood() {
        for group in ["/docker/abc", "/../outside", "/elsewhere"] {
            let cgroup = format!("0::{group}\n");
            let files = [
                (
                    "proc/self/mountinfo",
                    "30 20 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n",
                ),
                ("proc/self/cgroup", cgroup.as_str()),
                ("sys/fs/cgroup/memory.max", "1000\n"),
                ("sys/fs/cgroup/memory.current", "400\n"),
            ];
            assert_eq!(headroom_in(&files), Some(600), "{group}");
        }
    }

    #[test]
    fn counts_are_kept_by_every_group_that_has_the_memory_controller() {
        let v1 = "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                  41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        let files = [
            ("proc/self/mountinfo", v1),
            ("proc/self/cgroup", "4:memory:/a\n0::/\n"),
            ("sys/fs/cgroup/memory/a/memory.oom_control", "oom_kill 0\n"),
            ("sys/fs/cgroup/memory/memory.oom_control", "oom_kill 0\n"),
        ];
        let root = FakeRoot::new(&files);
        let at = |path: &str| root.path().join("sys/fs/cgroup").join(path);
        let found = oom_groups(root.path());
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].kills.file, at("memory/a/memory.oom_control"));
        assert_eq!(found[0].hits.file, at("memory/a/memory.failcnt"));
        assert_eq!(found[1].limit, at("memory/memory.limit_in_bytes"));

        let files = [
            V2_MOUNT,
            ("proc/self/cgroup", "0::/outer/inner\n"),
            ("sys/fs/cgroup/outer/inner/memory.events", "oom_kill 0\n"),
            ("sys/fs/cgroup/outer/memory.events", "oom_kill 0\n"),
        ];
        let root = FakeRoot::new(&files);
        let at = |path: &str| root.path().join("sys/fs/cgroup").join(path);
        let found = oom_groups(root.path());
        assert_eq!(found.len(), 2, "the topmost group counts nothing");
        assert_eq!(found[0].kills.file, at("outer/inner/memory.events"));
        assert_eq!(found[1].hits.file, at("outer/memory.events.local"));
        assert!(oom_groups(FakeRoot::new(&[]).path()).is_empty());
    }

    #[test]
    fn no_limit_and_no_sense_are_no_limit() {
        assert_eq!(headroom_in(&[]), None);
        for (limit, usage) in [("max", "1"), ("", "1"), ("1000", "many"), ("-1", "1")] {
            let files = [
                V2_MOUNT,
                ("proc/self/cgroup", "0::/a\n"),
                ("sys/fs/cgroup/a/memory.max", limit),
                ("sys/fs/cgroup/a/memory.current", usage),
            ];
            assert_eq!(headroom_in(&files), None, "{limit} {usage}");
        }
    }
}
