//! Explains why an engine's program does not start.

use std::collections::BTreeSet;

/// Libraries that llama.cpp's builds need from the system, with the packages of Debian and Ubuntu that contain them.
const LIBRARY_PACKAGES: [(&str, &str); 8] = [
    ("libgomp.so.1", "libgomp1"),
    ("libstdc++.so.6", "libstdc++6"),
    ("libgcc_s.so.1", "libgcc-s1"),
    ("libssl.so.3", "libssl3"),
    ("libcrypto.so.3", "libssl3"),
    ("libcurl.so.4", "libcurl4"),
    ("libvulkan.so.1", "libvulkan1"),
    ("libatomic.so.1", "libatomic1"),
];

/// Returns advice for an engine whose `--version` fails with this output, if the cause is known.
pub fn failure_advice(output: &str) -> Option<String> {
    if let Some(library) = missing_library(output) {
        return Some(library_advice(&[library]));
    }
    if output.contains("GLIBC_") || output.contains("GLIBCXX_") {
        return Some(
            "this build needs a newer C library than this system has: try another one, such as `paddock engine \
             install --backend cpu`, or compile one with `paddock engine build`"
                .to_owned(),
        );
    }
    if output.contains("Illegal instruction") || output.contains("SIGILL") {
        return Some(
            "this processor lacks instructions that the build needs: compile one with `paddock engine build`"
                .to_owned(),
        );
    }
    None
}

/// Returns advice for missing libraries: the packages that contain them, if known.
pub fn library_advice(libraries: &[impl AsRef<str>]) -> String {
    let package = |library: &str| {
        let mut known = LIBRARY_PACKAGES.iter();
        known
            .find(|(name, _)| *name == library)
            .map(|(_, package)| *package)
    };
    let libraries = libraries.iter().map(AsRef::as_ref);
    let packages: BTreeSet<_> = libraries.clone().filter_map(package).collect();
    let others: Vec<_> = libraries
        .filter(|library| package(library).is_none())
        .collect();
    let packages: Vec<_> = packages.into_iter().collect();
    let packages = format!("Debian and Ubuntu: apt install {}", packages.join(" "));
    match others.as_slice() {
        [] => packages,
        others if packages.ends_with(' ') => format!("install the libraries {}", others.join(", ")),
        others => format!(
            "{packages}; and install the libraries {}",
            others.join(", ")
        ),
    }
}

/// Reads the library in the dynamic loader's message `…: error while loading shared libraries: NAME: cannot open …`
/// (glibc, elf/rtld.c) or `Error loading shared library NAME: …` (musl, ldso/dynlink.c).
fn missing_library(output: &str) -> Option<&str> {
    let marks = [
        "error while loading shared libraries: ",
        "Error loading shared library ",
    ];
    let (_, rest) = marks.iter().find_map(|mark| output.split_once(mark))?;
    let (library, why) = rest.split_once(':')?;
    let is_missing = why.contains("cannot open shared object file") || why.contains("No such file");
    is_missing.then_some(library)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_failures_name_what_to_install() {
        let glibc = |library: &str| {
            format!(
                "/e/llama-server: error while loading shared libraries: {library}: cannot open shared object file: \
                 No such file or directory\n"
            )
        };
        for (output, want) in [
            (glibc("libgomp.so.1"), "apt install libgomp1"),
            (glibc("libssl.so.3"), "apt install libssl3"),
            (glibc("libfoo.so.9"), "install the libraries libfoo.so.9"),
            (
                "Error loading shared library libstdc++.so.6: No such file or directory (needed by x)".to_owned(),
                "apt install libstdc++6",
            ),
            (
                "/lib/libc.so.6: version `GLIBC_2.38' not found (required by x)".to_owned(),
                "newer C library",
            ),
            ("killed by SIGILL".to_owned(), "lacks instructions"),
        ] {
            let advice = failure_advice(&output).unwrap();
            assert!(advice.contains(want), "{output}: {advice}");
        }
        let all = library_advice(&["libssl.so.3", "libgomp.so.1", "libcrypto.so.3", "libx.so"]);
        assert_eq!(
            all,
            "Debian and Ubuntu: apt install libgomp1 libssl3; and install the libraries libx.so"
        );
        assert_eq!(failure_advice("error: invalid argument"), None);
        assert_eq!(
            failure_advice("error while loading shared libraries: x: wrong ELF class"),
            None
        );
    }
}
