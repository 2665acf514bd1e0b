use crate::support::{client, run, two};

#[test]
fn openai_of_python() {
    run(client("python"), "openai_python.py", &two());
}

#[test]
fn anthropic_of_python() {
    run(client("python"), "anthropic_python.py", &two());
}

#[test]
fn langchain_of_python() {
    run(client("python"), "langchain_python.py", &two());
}

#[test]
fn litellm_of_python() {
    run(client("python"), "litellm_python.py", &two());
}

#[test]
fn openai_of_node() {
    run(client("node"), "openai_node.js", &two());
}
