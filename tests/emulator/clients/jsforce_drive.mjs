// Drives the emulated Salesforce with jsforce, which this project did not write; prints what jsforce saw as JSON.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [modules, url, clientId, clientSecret] = process.argv.slice(2);
const require = createRequire(pathToFileURL(`${modules}/package.json`));
const jsforce = require('jsforce');
const fast = { pollInterval: 50, pollTimeout: 20000 };
const enrollment = 'LearnUponContactEnrollment__c';

const connection = new jsforce.Connection({ oauth2: { loginUrl: url, clientId, clientSecret }, instanceUrl: url, version: '67.0' });
await connection.authorize({ grant_type: 'client_credentials' });

const rows = Array.from({ length: 5 }, (_, n) => ({ LU_Key__c: `1:enrollment:${n}`, Course_Name__c: `Å "${n}",\nend`, Score__c: n }));
rows.push({ LU_Key__c: '1:enrollment:bad', Course_Name__c: 'x'.repeat(256), Score__c: 1 });
const loaded = await connection.bulk2.loadAndWaitForResults({
  object: enrollment, operation: 'upsert', externalIdFieldName: 'LU_Key__c', input: rows, ...fast,
});

const job = connection.bulk2.createJob({ object: enrollment, operation: 'upsert', externalIdFieldName: 'LU_Key__c' });
await job.open();
await job.uploadData([{ LU_Key__c: '1:enrollment:0', Score__c: 90 }]);
await job.close();
const again = connection.bulk2.job('ingest', { id: job.id });
await again.poll(fast.pollInterval, fast.pollTimeout);
const adopted = await again.getAllResults();

const text = `SELECT LU_Key__c, Course_Name__c, Score__c FROM ${enrollment}`;
const found = await (await connection.bulk2.query(text, fast)).toArray();

// Several pages: jsforce's own result() pipes page 1 into a stream and ends it, so page 2 is a "write after end"
// whatever the server does (jsforce issues 1546 and 1693, open). Its requests, its locators and its CSV reader are driven one page at a time instead.
const opened = await connection.request({
  method: 'POST', url: '/services/data/v67.0/jobs/query', body: JSON.stringify({ operation: 'query', query: text }),
  headers: { 'content-type': 'application/json' },
});
const reader = connection.bulk2.job('query', { id: opened.id });
await reader.poll(fast.pollInterval, fast.pollTimeout);
const pages = [];
while (reader.locator !== 'null') {
  const more = reader.locator ? `&locator=${reader.locator}` : '';
  pages.push(await reader.createQueryRequest({ method: 'GET', path: `/${reader.id}/results?maxRecords=2${more}`, headers: { Accept: 'text/csv' } }));
}

const rest = [];
await new Promise((resolve, reject) => {
  const query = connection.query(`SELECT Id, LU_Key__c FROM ${enrollment} ORDER BY LU_Key__c`);
  query.on('record', (record) => rest.push(record.LU_Key__c)).on('end', resolve).on('error', reject).run({ autoFetch: true, maxFetch: 100 });
});
const described = await connection.sobject(enrollment).describe();
console.log(JSON.stringify({
  succeeded: loaded.successfulResults.length,
  failed: loaded.failedResults.map((row) => row.sf__Error),
  unprocessed: loaded.unprocessedRecords.length,
  adopted: adopted.successfulResults.map((row) => [row.sf__Created, row.LU_Key__c]),
  found,
  pages,
  rest,
  fields: described.fields.length,
}));
