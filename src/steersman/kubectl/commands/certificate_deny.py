"""`kubectl certificate deny`: a certificate that was asked for shall not be issued."""

from steersman.kubectl.call import Call
from steersman.kubectl.commands import certificate_approve
from steersman.kubectl.commands.certificate_approve import APPROVED, DENIED

FLAGS = certificate_approve.FLAGS
USAGE = "(-f FILENAME | NAME)"
HELP = """Deny a certificate signing request: its signer will not issue a certificate.
"""
EXAMPLES = """
# A request by its name
{program} certificate deny csr-sqgzp
"""


async def run(call: Call) -> None:
    message = "This CSR was denied by kubectl certificate deny."
    await certificate_approve.decide(call, DENIED, APPROVED, "KubectlDeny", message)
