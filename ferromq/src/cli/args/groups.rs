//! The arguments of `radio` and `dish`.

use clap::Args;

use super::{Bytes, InputArgs, OutputArgs, SocketArgs, bytes};

#[derive(Debug, Args)]
pub(crate) struct RadioArgs {
    /// Send to this group [default: the first frame of each message names it]
    #[arg(long, value_name = "GROUP", value_parser = group)]
    pub(crate) group: Option<Bytes>,
    /// Start when the group of the first message has a member: before, nobody
    /// would get it
    #[arg(long)]
    pub(crate) wait_member: bool,
    #[command(flatten)]
    pub(crate) socket: SocketArgs,
    #[command(flatten)]
    pub(crate) input: InputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DishArgs {
    /// Join this group; repeatable
    #[arg(long, value_name = "GROUP", value_parser = group, required = true)]
    pub(crate) group: Vec<Bytes>,
    #[command(flatten)]
    pub(crate) socket: SocketArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

fn group(text: &str) -> Result<Bytes, String> {
    let group = bytes(text)?;
    match ferromq::check_group(&group.0) {
        Ok(()) => Ok(group),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_those_of_radio_dish() {
        assert_eq!(group("a\\xff"), Ok(Bytes(vec![b'a', 0xff])));
        assert_eq!(group(""), Ok(Bytes(Vec::new())));
        assert!(group("\\x00").is_err() && group(&"x".repeat(256)).is_err());
    }
}
