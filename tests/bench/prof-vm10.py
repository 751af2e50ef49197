import sys, types, importlib.machinery, importlib.util, tempfile, os
loader=importlib.machinery.SourceFileLoader("sends","/srv/lead/tests/bench/sends-vm10"); m=types.ModuleType("sends"); m.__file__=loader.path; loader.exec_module(m)
with tempfile.TemporaryDirectory(prefix="bs-") as d:
    os.chmod(d,0o755); m.lab.mount_bpffs(d)
    b,s=m.Bench(os.environ["B"],d),m.Servers(d)
    open(m.STATISTICS,"w").write("1")
    try:
        for name in sys.argv[1:]:
            w=s.workloads()[name]
            b.guard.start(); 
            for kind in ("tracked",):
                if kind=="beside": a=b.beside(s.redis)
                before=m.spent(b.guard)
                r=w.run(b.session) if kind=="tracked" else w.run()
                after=m.spent(b.guard)
                print(name,kind,r, flush=True)
                for p,(ns,c) in sorted(after.items(), key=lambda x:-x[1][0]):
                    ns-=before.get(p,(0,0))[0]; c-=before.get(p,(0,0))[1]
                    if c>100: print("   %-28s %8d runs %8.1f ns each  %8.2f ms"%(p,c,ns/c,ns/1e6))
            b.guard.stop()
    finally:
        open(m.STATISTICS,"w").write("0")
        b.guard.stop(); s.stop(); m.lab.unmount_bpffs()
