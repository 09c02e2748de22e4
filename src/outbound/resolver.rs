//! Name -> addresses, looked up once, every one checked; what is connected to is what was checked.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::Arc;

use http::Uri;
use ureq::config::Config;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::resolver::ResolvedSocketAddrs;
use ureq::unversioned::resolver::Resolver;
use ureq::unversioned::transport::NextTimeout;

use crate::model::origin::Origin;
use crate::outbound::OutboundError;
use crate::outbound::address::Reserved;
use crate::outbound::address::reserved;

/// How a host is looked up in place of the system's way.
pub type Lookup = Arc<dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync>;

/// How many addresses of one name are tried at most.
const MOST: usize = 8;

/// Looks up and checks.
pub(crate) struct CheckedResolver {
    /// May be at addresses that are not of the open internet.
    pub(crate) allowed: Vec<Origin>,
    pub(crate) lookup: Option<Lookup>,
}

impl CheckedResolver {
    fn check(&self, origin: &Origin, address: IpAddr) -> Result<(), OutboundError> {
        let is_named = self.allowed.contains(origin);
        let is_literal = origin.host().parse() == Ok(address);
        match reserved(address) {
            None => Ok(()),
            Some(Reserved::Local(_)) if is_named => Ok(()),
            Some(Reserved::Never(_)) if is_named && is_literal => Ok(()),
            Some(what) => Err(OutboundError::Forbidden {
                origin: origin.clone(),
                address,
                what: what.as_str(),
            }),
        }
    }
}

impl Resolver for CheckedResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let other = |error: OutboundError| ureq::Error::Other(Box::new(error));
        let origin = Origin::of(uri).map_err(|why| other(OutboundError::Url(why)))?;
        let found: Vec<SocketAddr> = match &self.lookup {
            Some(lookup) => lookup(origin.host(), origin.port())?,
            None => DefaultResolver::default().resolve(uri, config, timeout)?.to_vec(),
        };
        // One bad address among good ones is how a name leads inside on the second try.
        for address in &found {
            self.check(&origin, address.ip()).map_err(other)?;
        }
        let mut checked = self.empty();
        for address in found.into_iter().take(MOST) {
            checked.push(address);
        }
        if checked.is_empty() {
            return Err(ureq::Error::HostNotFound);
        }
        Ok(checked)
    }
}

impl fmt::Debug for CheckedResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CheckedResolver({:?})", self.allowed)
    }
}
