//! What holds of pods and accounts by themselves: isolation, and who has no power over policies.

use super::{Prover, Tally};
use crate::network::claims::{Class, Flow, Isolation, Powerless};
use crate::network::label::Sym;
use crate::network::rbac::Power;
use crate::network::witness::{Witness, pod_place};

impl Prover<'_> {
    pub(super) fn isolate(&self, isolation: &Isolation, tally: &mut Tally) {
        let pods = self.subjects.pods(&isolation.class, &Class::default());
        let flow = Flow { from: isolation.class.clone(), to: Class::default(), ports: Vec::new(), any_port: false };
        self.subjects.note_missing(&flow, &pods, &[], tally);
        tally.pairs += pods.len() as u64;
        for pod in pods.iter().copied() {
            tally.examined += 1;
            for direction in &isolation.directions {
                let own = &self.model.pods[pod as usize];
                let is_isolated =
                    self.model.deciding(pod, *direction).any(|(_, policy)| policy.section(*direction).isolates);
                let why = match (own.host_network, is_isolated) {
                    (true, _) => "uses its node's network and is outside of policy",
                    (false, false) => "is not isolated: no policy that selects it refuses anything by default",
                    (false, true) => continue,
                };
                let message = format!("{} {why} ({})", self.model.pod_name(pod), direction.name());
                let selecting = self.model.deciding(pod, *direction);
                let mut guilty: Vec<_> =
                    selecting.map(|(_, policy)| self.model.place(&self.model.policy_at(policy))).collect();
                guilty.extend(pod_place(self.model, pod));
                tally.fail(|| Witness::about(message, guilty));
            }
        }
    }

    pub(super) fn powerless(&self, claim: &Powerless, tally: &mut Tally) {
        let class = Class { namespace: Some(claim.namespace.clone()), ..Class::default() };
        let namespaces = self.subjects.namespaces(class.namespace.as_deref(), None);
        let is_meant = |name: Sym| match (&namespaces, self.model.find_namespace(self.model.text(name))) {
            (None, _) => true,
            (Some(wanted), Some(at)) => wanted[at as usize],
            (Some(_), None) => false,
        };
        for holder in self.model.grants.holders() {
            tally.examined += 1;
            if !claim.powers.contains(&holder.power) || !holder.namespace.is_none_or(is_meant) {
                continue;
            }
            let text = |part: Option<Sym>| part.map_or("*", |part| self.model.text(part)).to_owned();
            let (namespace, account) = (text(holder.namespace), text(holder.account));
            let power = match holder.power {
                Power::WriteNamespaces => "write namespaces, and so give any of them any label that policies select",
                Power::WritePolicies => "write network policies",
            };
            let guilty = vec![self.model.place(&holder.rule), self.model.place(&holder.binding)];
            tally.fail(|| Witness::about(format!("service account {namespace}/{account} may {power}"), guilty));
        }
    }
}
