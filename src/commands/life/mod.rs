//! The verbs that edit a fleet: each makes a proposal, which is proved as a whole before anything is written.

mod ask;
mod base;
mod deliver;
mod log;
mod onboard;
mod owners;
mod preview;
mod proposal;
mod rotate;
mod set;
mod steps;
mod upgrade;
mod words;
mod write;

use self::base::Base;
use self::proposal::Halt;
use super::screen::Screen;
use super::timings::Timings;
use crate::cli::{Delivery, LifeCommand};
use crate::error::Result;
use crate::finding::exit_code;
use crate::plan::lifecycle::Step;
use crate::report::Report;

pub use log::log;

/// Runs a verb.
pub fn run(screen: &Screen, command: &LifeCommand) -> Result<u8> {
    let mut timings = Timings::default();
    let delivery = delivery(command);
    let base = Base::open(screen, delivery, &mut timings)?;
    let code = match proposal(screen, command, &base) {
        Ok(proposal) => deliver::deliver(screen, &base, proposal, delivery, &mut timings)?,
        Err(Halt::Error(error)) => return Err(error),
        Err(Halt::Findings(mut findings)) => {
            findings.sort();
            let code = exit_code(&findings);
            screen.report(&Report { command: "edit", verdicts: Vec::new(), findings }, &base.loaded.source)?;
            screen.complain("nothing was written");
            code
        }
    };
    screen.timings(&timings);
    Ok(code)
}

fn proposal(screen: &Screen, command: &LifeCommand, base: &Base) -> proposal::Outcome {
    match command {
        LifeCommand::Onboard(args) => onboard::propose(screen, args, base),
        LifeCommand::Set(args) => set::propose(args, base),
        LifeCommand::Upgrade(args) => upgrade::propose(args, base),
        LifeCommand::Rotate(args) => rotate::propose(args, base),
        LifeCommand::Activate(args) => steps::propose(base, &args.slug, Step::Activate),
        LifeCommand::Suspend(args) => steps::propose(base, &args.slug, Step::Suspend),
        LifeCommand::Resume(args) => steps::propose(base, &args.slug, Step::Resume),
        LifeCommand::Decommission(args) => {
            steps::propose(base, &args.slug, Step::Decommission(args.keep_agent_ingress))
        }
        LifeCommand::Retire(args) => steps::propose(base, &args.slug, Step::Retire),
        LifeCommand::Remove(args) => steps::propose(base, &args.slug, Step::Remove),
    }
}

fn delivery(command: &LifeCommand) -> &Delivery {
    match command {
        LifeCommand::Onboard(args) => &args.delivery,
        LifeCommand::Set(args) => &args.delivery,
        LifeCommand::Upgrade(args) => &args.delivery,
        LifeCommand::Rotate(args) => &args.delivery,
        LifeCommand::Decommission(args) => &args.delivery,
        LifeCommand::Activate(args)
        | LifeCommand::Suspend(args)
        | LifeCommand::Resume(args)
        | LifeCommand::Retire(args)
        | LifeCommand::Remove(args) => &args.delivery,
    }
}
