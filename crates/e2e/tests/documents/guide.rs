//! docs/guide.md, with the real engine and the real model.

use crate::desk::Desk;
use crate::page::{blocks, commands, document};
use crate::service::is_installed;
use paddock_e2e::harness::real;

#[test]
fn every_command_runs() {
    let guide = document("docs/guide.md");
    let mut desk = Desk::new(real::engine(), real::model());
    for shown in commands(&guide) {
        // It is written after the first model was served without it.
        if shown.line.starts_with("paddock check") {
            desk.stops();
            desk.write("paddock.toml", &blocks(&guide, "toml").remove(0));
        }
        desk.types(&shown);
    }
    desk.stops();
    is_installed(&desk);
}
