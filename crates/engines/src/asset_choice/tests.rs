//! Tables of machines and releases.

use super::*;

/// The archives of release b11434 that matter here.
const RELEASE: [&str; 16] = [
    "cudart-llama-b1-bin-ubuntu-cuda-12.8-x64.tar.gz",
    "cudart-llama-b1-bin-ubuntu-cuda-13.4-x64.tar.gz",
    "llama-b1-bin-macos-arm64.tar.gz",
    "llama-b1-bin-macos-x64.tar.gz",
    "llama-b1-bin-ubuntu-arm64.tar.gz",
    "llama-b1-bin-ubuntu-cuda-12.8-x64.tar.gz",
    "llama-b1-bin-ubuntu-cuda-13.4-arm64.tar.gz",
    "llama-b1-bin-ubuntu-cuda-13.4-x64.tar.gz",
    "llama-b1-bin-ubuntu-rocm-10.0-x64.tar.gz",
    "llama-b1-bin-ubuntu-s390x.tar.gz",
    "llama-b1-bin-ubuntu-vulkan-arm64.tar.gz",
    "llama-b1-bin-ubuntu-vulkan-x64.tar.gz",
    "llama-b1-bin-ubuntu-x64.tar.gz",
    "llama-b1-bin-win-cpu-x64.zip",
    "llama-b1-bin-android-arm64.tar.gz",
    "llama-b1-xcframework.zip",
];

fn linux() -> Platform {
    Platform {
        os: Os::Linux,
        arch: Arch::X64,
        libc: Libc::Glibc(MajorMinor::new(2, 41)),
        gpus: Vec::new(),
        nvidia_driver: None,
        cuda: None,
        vulkan_loader: true,
        nvcc: false,
    }
}

fn nvidia(cuda: Option<(u32, u32)>) -> Platform {
    Platform {
        gpus: vec![GpuVendor::Nvidia],
        cuda: cuda.map(|(major, minor)| MajorMinor::new(major, minor)),
        ..linux()
    }
}

fn choose(platform: &Platform, wanted: Option<&str>) -> (String, String) {
    match choose_asset(platform, &RELEASE, wanted) {
        Ok(choice) => (choice.asset, choice.why),
        Err(error) => (String::new(), error.to_string()),
    }
}

#[test]
fn each_machine_gets_the_build_that_suits_it() {
    let glibc = |major, minor| Libc::Glibc(MajorMinor::new(major, minor));
    let old = glibc(2, 36);
    let gpu = |gpu| Platform {
        gpus: vec![gpu],
        ..linux()
    };
    let macos = |arch| Platform {
        os: Os::MacOs,
        arch,
        libc: Libc::Unknown,
        ..linux()
    };
    let cases = [
        (linux(), "ubuntu-x64", "no GPU was found"),
        (
            Platform {
                arch: Arch::Arm64,
                ..linux()
            },
            "ubuntu-arm64",
            "no GPU was found",
        ),
        (
            gpu(GpuVendor::Amd),
            "ubuntu-vulkan-x64",
            "this machine has an AMD GPU",
        ),
        (
            gpu(GpuVendor::Intel),
            "ubuntu-vulkan-x64",
            "this machine has an Intel GPU",
        ),
        (
            nvidia(Some((12, 8))),
            "ubuntu-cuda-12.8-x64",
            "this machine has an NVIDIA GPU",
        ),
        (
            nvidia(Some((13, 1))),
            "ubuntu-cuda-12.8-x64",
            "this machine has an NVIDIA GPU",
        ),
        (
            nvidia(Some((13, 4))),
            "ubuntu-cuda-13.4-x64",
            "this machine has an NVIDIA GPU",
        ),
        (
            nvidia(Some((12, 4))),
            "ubuntu-vulkan-x64",
            "this machine has an NVIDIA GPU, and its driver supports CUDA 12.4, older than the release's CUDA 12.8 \
             build needs",
        ),
        (
            nvidia(None),
            "ubuntu-vulkan-x64",
            "this machine has an NVIDIA GPU, and the CUDA version that its driver supports is not known",
        ),
        (
            Platform {
                libc: old,
                ..nvidia(Some((13, 4)))
            },
            "ubuntu-vulkan-x64",
            "this machine has an NVIDIA GPU, and the CUDA builds need a newer C library than this system's (2.36)",
        ),
        (
            macos(Arch::Arm64),
            "macos-arm64",
            "the build for Apple silicon uses its GPU",
        ),
        (macos(Arch::X64), "macos-x64", "no GPU was found"),
    ];
    for (platform, asset, why) in cases {
        let (chosen, reason) = choose(&platform, None);
        assert_eq!(
            chosen,
            format!("llama-b1-bin-{asset}.tar.gz"),
            "{platform:?}"
        );
        assert_eq!(reason, why);
    }
}

#[test]
fn a_machine_that_no_build_suits_is_told_why() {
    let glibc = |minor| Libc::Glibc(MajorMinor::new(2, minor));
    for (platform, why) in [
        (
            Platform {
                os: Os::Other("freebsd".to_owned()),
                ..linux()
            },
            "llama.cpp publishes no builds for freebsd that paddock can install",
        ),
        (
            Platform {
                arch: Arch::Other,
                ..linux()
            },
            "llama.cpp publishes no builds for this processor that paddock can install",
        ),
        (
            Platform {
                libc: Libc::Musl,
                ..linux()
            },
            "llama.cpp's builds need the GNU C library, which this system does not have",
        ),
        (
            Platform {
                libc: glibc(31),
                ..linux()
            },
            "llama.cpp's builds for this processor need the GNU C library 2.35 or newer, and this system has 2.31",
        ),
        (
            Platform {
                libc: glibc(36),
                arch: Arch::Arm64,
                ..linux()
            },
            "llama.cpp's builds for this processor need the GNU C library 2.38 or newer, and this system has 2.36",
        ),
    ] {
        assert_eq!(choose(&platform, None), (String::new(), why.to_owned()));
    }
    let none = choose_asset(&linux(), &["llama-b1-xcframework.zip"], None);
    assert_eq!(none, Err(AssetChoiceError::NoBuild));
}

#[test]
fn a_requested_flavour_is_taken_or_the_others_are_listed() {
    let chosen = |platform: &Platform, wanted: &str| choose(platform, Some(wanted)).0;
    let gpu = nvidia(Some((13, 0)));
    assert_eq!(chosen(&gpu, "cpu"), "llama-b1-bin-ubuntu-x64.tar.gz");
    assert_eq!(
        chosen(&gpu, "vulkan"),
        "llama-b1-bin-ubuntu-vulkan-x64.tar.gz"
    );
    assert_eq!(
        chosen(&gpu, "rocm"),
        "llama-b1-bin-ubuntu-rocm-10.0-x64.tar.gz"
    );
    assert_eq!(
        chosen(&gpu, "cuda"),
        "llama-b1-bin-ubuntu-cuda-12.8-x64.tar.gz"
    );
    assert_eq!(
        chosen(&gpu, "cuda-13.4"),
        "llama-b1-bin-ubuntu-cuda-13.4-x64.tar.gz"
    );
    assert_eq!(
        chosen(&linux(), "cuda"),
        "llama-b1-bin-ubuntu-cuda-12.8-x64.tar.gz"
    );
    let (_, error) = choose(&linux(), Some("metal"));
    assert_eq!(
        error,
        "the release has no metal build for this system; it has: cuda-12.8, cuda-13.4, rocm-10.0, vulkan, cpu"
    );
}

#[test]
fn cuda_builds_come_with_their_libraries_and_advice_fits_the_machine() {
    let choice = |platform: &Platform| choose_asset(platform, &RELEASE, None).unwrap();
    let runtime = choice(&nvidia(Some((12, 8)))).runtime.unwrap();
    assert_eq!(runtime, "cudart-llama-b1-bin-ubuntu-cuda-12.8-x64.tar.gz");
    assert_eq!(choice(&linux()).runtime, None);

    let advice = |platform: &Platform| choice(platform).advice.unwrap_or_default();
    assert_eq!(advice(&linux()), "");
    assert_eq!(advice(&nvidia(None)), "");
    let compiler = Platform {
        nvcc: true,
        ..nvidia(None)
    };
    assert!(advice(&compiler).contains("`paddock engine build`"));
    let no_loader = Platform {
        vulkan_loader: false,
        ..nvidia(None)
    };
    assert!(advice(&no_loader).contains("apt install libvulkan1"));
}
