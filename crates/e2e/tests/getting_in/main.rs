//! From nothing to an answer: `paddock run`, models that are configured by their source, and the commands that list and
//! delete models. Local servers stand for Hugging Face.

#[cfg(test)]
mod configured;
#[cfg(test)]
mod files;
#[cfg(test)]
mod run;
#[cfg(test)]
mod support;
