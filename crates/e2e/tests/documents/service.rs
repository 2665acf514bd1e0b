//! docs/systemd.md: paddock as a service of the system.

use crate::desk::Desk;
use crate::page::{commands, document, root};
use std::fs;
use std::path::Path;

#[test]
fn every_command_runs_and_enables_the_units() {
    let engine = Path::new(env!("CARGO_BIN_EXE_fake-llama-server"));
    let mut desk = Desk::new(engine, Path::new("model.gguf"));
    desk.write("paddock.toml", "models.m.path = '/srv/models/m.gguf'\n");
    desk.types_all(&commands(&document("docs/systemd.md")));
    is_installed(&desk);
}

/// The program, its configuration and its units are where they belong, and enabled.
pub(crate) fn is_installed(desk: &Desk) {
    for name in ["usr/local/bin/paddock", "etc/paddock/paddock.toml"] {
        assert!(desk.at(name).is_file(), "{name}");
    }
    for (unit, wanted_by) in [
        ("paddock.service", "multi-user.target"),
        ("paddock.socket", "sockets.target"),
    ] {
        let units = desk.at("etc/systemd/system");
        let shipped = fs::read(root().join("dist/systemd").join(unit)).unwrap();
        assert_eq!(fs::read(units.join(unit)).unwrap(), shipped);
        let wanted = units.join(format!("{wanted_by}.wants")).join(unit);
        assert!(
            fs::symlink_metadata(&wanted).is_ok(),
            "{}",
            wanted.display()
        );
    }
}
