//! Reading every form, digests, and the team's data sets.

#[cfg(test)]
mod forms;
