//! What can be wrong, and how paddock says so.

#[cfg(test)]
mod absent_files;
#[cfg(test)]
mod addresses;
#[cfg(test)]
mod before_the_start;
#[cfg(test)]
mod inference;
#[cfg(test)]
mod of_the_child;
