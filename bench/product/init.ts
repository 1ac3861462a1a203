import { initRepository, type RepositoryAccess } from '../../src/repository/index.ts';
import { input, print } from './agent.ts';

const { access } = input<{ access: RepositoryAccess }>();
const { id } = await initRepository(access, { clusterName: 'bench', clusterId: 'bench' });
print({ id });
