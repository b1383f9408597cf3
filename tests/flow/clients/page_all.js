// Pages through the simulator with connectwise-rest as it is published. Prints one JSON object of ids by table.
const { ManageAPI } = require('connectwise-rest');

async function main() {
  const cwm = new ManageAPI({
    companyId: process.env.CONNECTWISE_COMPANY_ID,
    companyUrl: process.env.CONNECTWISE_HOST,
    publicKey: process.env.CONNECTWISE_PUBLIC_KEY,
    privateKey: process.env.CONNECTWISE_PRIVATE_KEY,
    clientId: process.env.CONNECTWISE_CLIENT_ID,
    entryPoint: 'v2025_1',
    apiVersion: '2025.1',
  });
  const all = async (method, params = {}) =>
    (await cwm.paginate(method, { pageSize: 100 }, params)).map((record) => record.id);
  console.log(
    JSON.stringify({
      'service/tickets': await all(cwm.ServiceAPI.getServiceTickets),
      'time/entries': await all(cwm.TimeAPI.getTimeEntries),
      'company/companies': await all(cwm.CompanyAPI.getCompanyCompanies),
      'company/contacts': await all(cwm.CompanyAPI.getCompanyContacts),
      'system/members': await all(cwm.SystemAPI.getSystemMembers),
      filtered: await all(cwm.ServiceAPI.getServiceTickets, {
        conditions: 'status/name like ">%" AND closedFlag=False',
      }),
    }),
  );
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
