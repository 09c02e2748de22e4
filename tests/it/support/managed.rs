//! A simulated AWESOME_CLOUD beside an appliance that manages it, and what each of them believes there is.
#![expect(clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;
use switchboard::appliance::Appliance;
use switchboard::model::clock::Clock;
use switchboard::model::ems::Ems;
use switchboard::model::ems::EmsId;
use switchboard::vmdb::NewEms;
use switchboard::vmdb::Refresh;
use switchboard::vmdb::RefreshFilter;
use switchboard::vmdb::RefreshState;
use switchboard::vmdb::Vmdb;
use tokio::runtime::Runtime;

use crate::awesome_cloud::AwesomeCloud;
use crate::awesome_cloud::Beginning;
use crate::awesome_cloud::Kind;
use crate::support::project::Project;
use crate::support::served::config;
use crate::support::served::read;

/// Longer than anything here takes; only a test that fails waits for it.
const PATIENCE: Duration = Duration::from_secs(120);

/// Both, running.
pub(crate) struct Managed {
    pub(crate) cloud: AwesomeCloud,
    pub(crate) ems: Arc<Ems>,
    pub(crate) runtime: Runtime,
    appliance: Option<Appliance>,
    pub(crate) project: Project,
}

/// What there is: association and ref, with what is worth comparing.
pub(crate) type Picture = BTreeMap<String, Value>;

impl Managed {
    /// A cloud of so many VMs, polled often, with these settings besides.
    pub(crate) fn start(vms: usize, refresh_settings: &str) -> Self {
        Self::of(Project::shipped(), vms, refresh_settings)
    }

    pub(crate) fn of(project: Project, vms: usize, refresh_settings: &str) -> Self {
        let runtime = Runtime::new().unwrap();
        project.write(
            "settings.yml",
            &format!(
                ":workers:\n  :worker_base:\n    :event_catcher:\n      :event_catcher_awesome_cloud:\n        :poll: 200ms\n:ems_refresh:\n{refresh_settings}"
            ),
        );
        let clock = Clock::System;
        let cloud = runtime.block_on(AwesomeCloud::start(Beginning {
            listen: ([127, 0, 0, 1], 0).into(),
            seed: 1,
            vms,
            token: None,
            now: Arc::new(move || clock.now()),
        }));
        let cloud = cloud.unwrap();
        let appliance = runtime.block_on(Appliance::start(config(&project))).unwrap();
        let new = NewEms {
            name: "cloud".to_owned(),
            provider: "awesome_cloud".to_owned(),
            url: Some(cloud.url()),
            credentials: None,
        };
        let ems = appliance.vmdb().ems_add(new).wait().unwrap();
        Self {
            cloud,
            ems: Arc::new(ems),
            runtime,
            appliance: Some(appliance),
            project,
        }
    }

    /// Ends the appliance in order and starts it again; what happens in between happens without it.
    pub(crate) fn restart(&mut self, meanwhile: impl FnOnce(&AwesomeCloud)) {
        if let Some(appliance) = self.appliance.take() {
            self.runtime.block_on(appliance.stop());
        }
        meanwhile(&self.cloud);
        let started = self.runtime.block_on(Appliance::start(config(&self.project)));
        self.appliance = Some(started.unwrap());
    }

    pub(crate) fn vmdb(&self) -> &Vmdb {
        self.appliance.as_ref().unwrap().vmdb()
    }

    /// Where its web listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.appliance.as_ref().unwrap().address()
    }

    /// What a path answers with.
    pub(crate) fn get(&self, path: &str) -> Value {
        let mut stream = TcpStream::connect(self.address()).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        read(&mut stream).json()
    }

    pub(crate) fn refreshes(&self) -> Vec<Refresh> {
        self.vmdb().refresh_list(&RefreshFilter::default()).unwrap()
    }

    /// Looks again and again until something holds.
    pub(crate) fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !holds() {
            assert!(
                Instant::now() < end,
                "waited in vain until {what}: {:?}",
                self.refreshes().first()
            );
            self.runtime
                .block_on(async { tokio::time::sleep(Duration::from_millis(20)).await });
        }
    }

    /// Until the manager was read whole for the first time.
    pub(crate) fn until_read(&self) {
        self.until("everything was read once", || {
            self.refreshes()
                .iter()
                .any(|refresh| refresh.state == RefreshState::Done)
        });
    }

    /// Until every event is in, each decided, and every refresh done.
    pub(crate) fn until_quiet(&self) {
        self.cloud.publish_all();
        self.until("all is quiet", || {
            let cursor = self.vmdb().cursor(self.ems.id, "poll").unwrap();
            let is_open =
                |refresh: &Refresh| matches!(refresh.state, RefreshState::Waiting | RefreshState::Running);
            cursor == Some(json!(self.cloud.events()).into())
                && self.vmdb().waiting() == 0
                && !self.refreshes().iter().any(is_open)
        });
    }

    /// What the inventory says.
    pub(crate) fn inventory(&self) -> Picture {
        inventory(self.vmdb(), self.ems.id)
    }

    /// What the cloud has, in the words of the inventory.
    pub(crate) fn truth(&self) -> Picture {
        truth(&self.cloud)
    }

    /// Says where the two differ.
    pub(crate) fn assert_true(&self) {
        let different = differences(&self.inventory(), &self.truth());
        assert!(different.is_empty(), "{}", different.join("\n"));
    }
}

impl Drop for Managed {
    fn drop(&mut self) {
        if let Some(appliance) = self.appliance.take() {
            self.runtime.block_on(appliance.stop());
        }
    }
}

/// What the inventory of a manager says.
pub(crate) fn inventory(vmdb: &Vmdb, ems: EmsId) -> Picture {
    let mut picture = Picture::new();
    for association in ["hosts", "cloud_networks", "vms", "cloud_volumes", "disks"] {
        let objects = vmdb
            .with_inventory(|view| view.all(Some(ems), association))
            .unwrap();
        for object in objects {
            let reference = object.manager_ref.0.get("ems_ref").unwrap();
            let mut attributes = json!(object.attributes);
            let fields = attributes.as_object_mut().unwrap();
            fields.retain(|name, _| !["ems_ref", "uid_ems", "created_at"].contains(&&**name));
            picture.insert(format!("{association} {reference}"), attributes);
        }
    }
    picture
}

/// What a cloud has, in the words of the inventory.
pub(crate) fn truth(cloud: &AwesomeCloud) -> Picture {
    let objects = cloud.objects();
    let find = |association: &str, id: &Value| json!({"$ref": {"association": association, "manager_ref": {"ems_ref": id}}});
    let mut picture = Picture::new();
    for (id, host) in objects.of(Kind::Host) {
        picture.insert(
            format!("hosts {id}"),
            json!({"name": host["name"], "cores": host["cores"], "memory_gb": host["memory_gb"]}),
        );
    }
    for (id, network) in objects.of(Kind::Network) {
        picture.insert(
            format!("cloud_networks {id}"),
            json!({"name": network["name"], "cidr": network["cidr"]}),
        );
    }
    for (id, volume) in objects.of(Kind::Volume) {
        let mut entry = json!({"name": volume["name"], "size_gb": volume["size_gb"]});
        if !volume["vm_id"].is_null() {
            entry["vm"] = find("vms", &volume["vm_id"]);
        }
        picture.insert(format!("cloud_volumes {id}"), entry);
    }
    for (id, vm) in objects.of(Kind::Vm) {
        let networks: Vec<Value> = vm["network_ids"]
            .as_array()
            .unwrap()
            .iter()
            .map(|id| find("cloud_networks", id))
            .collect();
        picture.insert(
            format!("vms {id}"),
            json!({
                "name": vm["name"], "power_state": vm["power_state"], "flavor": vm["flavor"],
                "host": find("hosts", &vm["host_id"]), "cloud_networks": networks,
            }),
        );
        for disk in vm["disks"].as_array().unwrap() {
            let id_of_disk = disk["id"].as_str().unwrap();
            picture.insert(
                format!("disks {id_of_disk}"),
                json!({"name": id_of_disk, "size_gb": disk["size_gb"], "parent": find("vms", &json!(id))}),
            );
        }
    }
    picture
}

/// Where the two differ.
pub(crate) fn differences(inventory: &Picture, truth: &Picture) -> Vec<String> {
    let keys: std::collections::BTreeSet<&String> = inventory.keys().chain(truth.keys()).collect();
    keys.into_iter()
        .filter(|key| inventory.get(*key) != truth.get(*key))
        .map(|key| {
            format!(
                "{key}: inventory {:?}, cloud {:?}",
                inventory.get(key),
                truth.get(key)
            )
        })
        .collect()
}
