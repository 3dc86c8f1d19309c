//! Reading every form, what is refused, digests, and the team's data sets.

#[cfg(test)]
mod digests;
#[cfg(test)]
mod forms;
#[cfg(test)]
mod malformed;
#[cfg(test)]
mod shared;
