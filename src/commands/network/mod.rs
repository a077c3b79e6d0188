//! `network`: what may talk to what, why, what changed, and whether the claims hold.

mod input;
mod prove;

use std::fmt::Write as _;

use serde_json::json;

use super::screen::Screen;
use crate::cli::{ConnectionArgs, Direction, ExplainArgs, Format, NetworkCommand, NetworkDiffArgs};
use crate::error::{Error, Result, exit};
use crate::network::{self, Connection, End, Filter, Model, Protocol, format};

/// Text that is collected before it is written, in bytes.
const BLOCK: usize = 1 << 16;

/// Runs the command.
pub fn run(screen: &Screen, command: &NetworkCommand) -> Result<u8> {
    match command {
        NetworkCommand::Connections(args) => connections(screen, args),
        NetworkCommand::Diff(args) => diff(screen, args),
        NetworkCommand::Explain(args) => explain(screen, args),
        NetworkCommand::Prove(args) => prove::run(screen, args),
    }
}

fn connections(screen: &Screen, args: &ConnectionArgs) -> Result<u8> {
    let Some(subject) = input::one(screen, &args.input)? else { return Ok(input::refused(&args.input)) };
    let filter = Filter {
        workload: args.workload.clone(),
        peer: args.peer.clone(),
        direction: args.direction.map(direction),
        port: args.port.as_deref().map(port).transpose()?,
        stand_ins: args.assumed,
        ingress_controller: args.ingress_controller,
    };
    if let Some(workload) = &args.workload {
        known(&subject.model, workload)?;
    }
    let is_plain_text = screen.global().output.iter().all(|spec| spec.format == Format::Text && spec.path.is_none());
    if is_plain_text {
        stream(screen, &subject.model, &filter)?;
    } else {
        let list = network::connections(&subject.model, &filter);
        screen.write(|wanted| Some(format::connections(&list, form(wanted)?)))?;
    }
    Ok(subject.code)
}

/// Writes line by line: a list of many workloads is never in memory as a whole.
fn stream(screen: &Screen, model: &Model, filter: &Filter) -> Result<()> {
    let (mut block, mut failed) = (String::new(), None);
    network::for_each_connection(model, filter, |one: Connection| {
        if failed.is_some() {
            return;
        }
        let _ = writeln!(block, "{} => {} : {}", one.src, one.dst, one.conn);
        if block.len() > BLOCK {
            failed = screen.print(&block).err();
            block.clear();
        }
    });
    match failed {
        Some(error) => Err(error),
        None => screen.print(&block),
    }
}

fn diff(screen: &Screen, args: &NetworkDiffArgs) -> Result<u8> {
    let (before, after) = (args.before.display().to_string(), args.after.display().to_string());
    let sources = [input::read(&args.before)?, input::read(&args.after)?];
    // Both are seen with the same eyes, whichever of them holds Cilium's policies.
    let profile =
        args.settings.profile.unwrap_or_else(|| input::profile_of(sources.iter().flat_map(|one| &one.sources)));
    let models: Vec<Option<input::Subject>> = sources
        .into_iter()
        .map(|files| input::of_files(screen, files, &args.settings, Some(profile)))
        .collect::<Result<_>>()?;
    let [Some(old), Some(new)] = models.as_slice() else { return Ok(exit::INVALID) };
    let list = |subject: &input::Subject| network::connections(&subject.model, &Filter::default());
    let changes = network::diff(&list(old), &list(new));
    screen.write(|wanted| Some(format::changes(&changes, form(wanted)?, &before, &after)))?;
    if changes.is_empty() {
        screen.say("no connection differs");
    }
    Ok(if changes.is_empty() { old.code.max(new.code) } else { exit::FINDINGS })
}

fn explain(screen: &Screen, args: &ExplainArgs) -> Result<u8> {
    let Some(subject) = input::one(screen, &args.input)? else { return Ok(input::refused(&args.input)) };
    let model = &subject.model;
    let (src, dst) = (end(model, &args.src)?, end(model, &args.dst)?);
    if !src.is_source() {
        return Err(Error::usage(format!("nothing comes from {}", args.src))
            .hint("a Service and a DNS name are destinations only: name the workload behind it"));
    }
    let port = args.port.as_deref().map(port).transpose()?;
    let port = port.map(|(protocol, port)| (protocol.unwrap_or(Protocol::Tcp), port));
    let answers = network::explain(model, &src, &dst, port);
    screen.write(|wanted| match wanted {
        Format::Text => Some(answers.iter().map(ToString::to_string).collect()),
        Format::Json => {
            let document = json!({ "apiVersion": "tenantry.io/v1", "kind": "NetworkExplanation", "answers": answers });
            Some(serde_json::to_string_pretty(&document).unwrap_or_default() + "\n")
        }
        _ => None,
    })?;
    Ok(subject.code)
}

fn end(model: &Model, text: &str) -> Result<End> {
    End::parse(model, text).map_err(|unknown| {
        Error::usage(unknown.to_string()).hint("`tenantry network connections --assumed` shows the names")
    })
}

/// A filter on a workload that is not there would find nothing, which looks like isolation.
fn known(model: &Model, workload: &str) -> Result<()> {
    match End::parse(model, workload) {
        Err(unknown) if unknown.candidates.is_empty() => {
            Err(Error::usage(format!("`{workload}` is no workload of the input")).hint("write namespace/name"))
        }
        _ => Ok(()),
    }
}

/// `443`, `TCP/443`.
fn port(text: &str) -> Result<(Option<Protocol>, u16)> {
    let refuse = || Error::usage(format!("`{text}` is no port")).hint("write 443, TCP/443 or UDP/53");
    let (protocol, number) = match text.split_once('/') {
        Some((protocol, number)) => (Some(Protocol::transport(protocol).ok_or_else(refuse)?), number),
        None => (None, text),
    };
    match number.parse::<u16>() {
        Ok(number) if number > 0 => Ok((protocol, number)),
        _ => Err(refuse()),
    }
}

fn direction(given: Direction) -> network::Direction {
    match given {
        Direction::Egress => network::Direction::Egress,
        Direction::Ingress => network::Direction::Ingress,
    }
}

/// The form of a list.
fn form(format: Format) -> Option<format::Format> {
    match format {
        Format::Text => Some(format::Format::Text),
        Format::Json => Some(format::Format::Json),
        Format::Csv => Some(format::Format::Csv),
        Format::Markdown => Some(format::Format::Markdown),
        Format::Dot => Some(format::Format::Dot),
        Format::Svg => Some(format::Format::Svg),
        _ => None,
    }
}
