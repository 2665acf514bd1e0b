//! Gemma 3 270M, with sliding windows in five of six layers.

use super::support::compare;
use paddock_e2e::harness::real;

/// Compares each line of arguments, and prints what came of it.
fn each(lines: &[&str]) {
    for line in lines {
        let compared = compare(real::model(), line);
        println!("{compared}");
        compared.check().check_compute();
    }
}

#[test]
fn contexts() {
    each(&[
        "--parallel 1 --ctx-size 512",
        "--parallel 1 --ctx-size 4096",
        "--parallel 1 --ctx-size 32768",
        "--parallel 1 --ctx-size 32768 --swa-full",
        "--parallel 1 --ctx-size 5000 --ubatch-size 128",
    ]);
}

#[test]
fn cache_types() {
    each(&[
        "--parallel 1 -c 32768 -ctk f16 -ctv f16",
        "--parallel 1 -c 32768 -ctk q8_0 -ctv q8_0 -fa on",
        "--parallel 1 -c 32768 -ctk q4_0 -ctv q4_0 -fa on",
        "--parallel 1 -c 32768 -ctk q8_0 -ctv f16 -fa on",
        "--parallel 1 -c 4096 -fa off",
    ]);
}

#[test]
fn slots() {
    each(&[
        "--parallel 2 -c 4096",
        "--parallel 4 -c 4096",
        "--parallel 3 -c 32768",
        "--parallel 4 -c 4096 --swa-full",
        "--parallel 2 -c 4096 --kv-unified",
        "--parallel -1 -c 32768",
        "--parallel 1 -c 4096 --embeddings",
    ]);
}
