//! Rules that open one side of a flow which the other side refuses, for every pair that they speak of.

use super::super::decide;
use super::super::party::Bound;
use super::super::policy::{Action, Direction, Peer, PeerItem, Policy, Rule};
use super::super::ports::PortSet;
use super::{Lint, Severity, Violation};

pub(super) fn find(lint: &Lint<'_, '_>, found: &mut Vec<Violation>) {
    for (index, policy, direction, rule) in lint.rules().filter(|(.., rule)| rule.action == Action::Allow) {
        for item in rule.peers.iter().filter(|item| matches!(item.peer, Peer::Pods(_))) {
            if let Some((pod, peer)) = refused(lint, index, policy, direction, rule, item) {
                let (own, other) = (lint.model.pod_name(pod), lint.model.pod_name(peer));
                let message = match direction {
                    Direction::Egress => format!(
                        "{own} may open this, but ingress of {other} refuses it, as of every pod that the rule reaches"
                    ),
                    Direction::Ingress => format!(
                        "{own} may accept this, but egress of {other} refuses it, as of every pod that the rule lets in"
                    ),
                };
                found.push(lint.at_peer(policy, rule, item, "one-sided", Severity::Error, message));
            }
        }
    }
}

/// A pair that the rule speaks of, if nothing flows on the rule's ports between any such pair.
fn refused(
    lint: &Lint<'_, '_>,
    index: u32,
    policy: &Policy,
    direction: Direction,
    rule: &Rule,
    item: &PeerItem,
) -> Option<(u32, u32)> {
    let Peer::Pods(term) = &item.peer else { return None };
    let mut first = None;
    for pod in &lint.subjects[index as usize] {
        for peer in lint.matched(policy, term) {
            if peer == *pod {
                // A pod reaches itself, so a rule about oneself is never one-sided.
                return None;
            }
            let (from, to) = match direction {
                Direction::Egress => (*pod, peer),
                Direction::Ingress => (peer, *pod),
            };
            let meant = decide::resolve(lint.model, rule, Some(to));
            // A port name that the destination lacks is another finding.
            if meant.is_none() || works(lint, from, to, &meant) {
                return None;
            }
            first.get_or_insert((*pod, peer));
        }
    }
    first
}

fn works(lint: &Lint<'_, '_>, from: u32, to: u32, meant: &PortSet) -> bool {
    !lint.reach.flow(from, to, Bound::Possible).intersection(meant).is_none()
}
