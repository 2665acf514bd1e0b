//! Serves an engine and a model as the releases API and the hub do, for scripts that install paddock on a bare system.
//!
//! usage: `fake-mirrors ENGINE MODEL`. Prints the variables that make paddock use the mirrors, and serves until the end
//! of its standard input. The engine is release `b11434` for this machine, the model is `hf:mirror/small`.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, Write as _};
use std::{env, fs};

use paddock_e2e::mirror::archives::{ArchiveEntry, tar_gz};
use paddock_e2e::mirror::hub::HubMirror;
use paddock_e2e::mirror::releases::{MirrorRelease, ReleasesMirror};

const TAG: &str = "b11434";

fn main() -> Result<(), Box<dyn Error>> {
    let mut paths = env::args_os().skip(1);
    let (Some(engine), Some(model)) = (paths.next(), paths.next()) else {
        return Err("usage: fake-mirrors ENGINE MODEL".into());
    };

    let hub = HubMirror::start();
    hub.add_repo("mirror/small", &[("small-Q4_K_M.gguf", fs::read(model)?)]);

    let releases = ReleasesMirror::start();
    let program = format!("llama-{TAG}/llama-server");
    let archive = tar_gz(&[ArchiveEntry::File(&program, &fs::read(engine)?, 0o755)]);
    let machine = match env::consts::ARCH {
        "aarch64" => "arm64",
        _ => "x64",
    };
    let asset = format!("llama-{TAG}-bin-ubuntu-{machine}.tar.gz");
    releases.add(MirrorRelease {
        tag: TAG.to_owned(),
        assets: BTreeMap::from([(asset, archive)]),
        source: None,
    });

    let mut output = io::stdout();
    writeln!(output, "HF_ENDPOINT={}", hub.endpoint())?;
    writeln!(output, "PADDOCK_ENGINE_RELEASES={}", releases.feed())?;
    output.flush()?;
    io::copy(&mut io::stdin(), &mut io::sink())?;
    Ok(())
}
