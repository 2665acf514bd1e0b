use crate::support::{answered_by, chat, decisions, model, three};
use paddock_e2e::harness::model as whole;
use paddock_gguf::{Value, builder::GgufBuilder};
use std::fs;

#[test]
fn a_broken_file_costs_nobody_a_place_until_it_is_another() {
    let builder = three();
    let other = builder.directory().join("other.gguf");
    fs::write(&other, whole()).unwrap();
    let paddock = builder
        .config(&format!(
            "models.c.path = {:?}\nmodels.c.memory = '60MiB'",
            other.display().to_string()
        ))
        .start();
    assert_eq!(answered_by(&paddock.ask(chat("a"))), "a");
    let pid = model(&paddock, "a")["pid"].clone();
    let adapter = Value::String("adapter".to_owned());
    let adapter = GgufBuilder::stand_in().set("general.type", adapter).build();
    let no_layers = GgufBuilder::new("llama")
        .set("llama.block_count", Value::U32(0))
        .build();
    let broken = [b"not a model".to_vec(), adapter, no_layers];
    for bytes in broken {
        fs::write(&other, bytes).unwrap();
        for _ in 0..2 {
            let refused = paddock.ask(chat("c"));
            let answer = (refused.status, refused.error_code());
            assert_eq!(answer, (503, "load_failed".into()));
            assert_eq!(refused.json()["error"]["failure"]["class"], "bad_file");
            assert_eq!(refused.field("retry-after"), None, "time does not help");
        }
    }
    assert_eq!(model(&paddock, "a")["pid"], pid, "the good one stays");
    fs::write(&other, whole()).unwrap();
    assert_eq!(answered_by(&paddock.ask(chat("c"))), "c");
}

#[test]
fn what_could_never_fit_is_refused_with_both_numbers() {
    let paddock = three()
        .config("models.big.path = 'm.gguf'\nmodels.big.memory = '101MiB'")
        .start();
    assert_eq!(answered_by(&paddock.ask(chat("a"))), "a");
    let refused = paddock.ask(chat("big"));
    assert_eq!(
        (refused.status, refused.error_code()),
        (503, "does_not_fit".into())
    );
    let words = refused.text();
    assert!(
        words.contains("101 MiB") && words.contains("100 MiB"),
        "{words}"
    );
    assert_eq!(model(&paddock, "a")["status"], "ready");
    assert!(decisions(&paddock, "big").contains("no model was evicted"));
}

#[test]
fn out_of_memory_takes_one_more_victim_and_is_tried_once_more() {
    let paddock = three()
        .config("models.c.path = 'm.gguf'\nmodels.c.memory = '30MiB'\nmodels.c.args = ['--fake-fail', 'out-of-memory']")
        .start();
    assert_eq!(answered_by(&paddock.ask(chat("a"))), "a");
    let refused = paddock.ask(chat("c"));
    assert_eq!(
        (refused.status, refused.error_code()),
        (503, "load_failed".into())
    );
    assert_eq!(refused.json()["error"]["failure"]["class"], "out_of_memory");
    assert!(refused.field("retry-after").is_some());
    assert_eq!(model(&paddock, "a")["status"], "unloaded", "it made room");
    assert_eq!(answered_by(&paddock.ask(chat("a"))), "a");
}
