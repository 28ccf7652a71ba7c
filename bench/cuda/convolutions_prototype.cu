#include "backends/cuda/kernels/convolution.h"
#include <cstdio>
#include <cstring>
#include <cstdlib>
#include <cmath>
#include <vector>
#include <algorithm>
#include <chrono>
#include <string>
#include <map>
#include <cuda_fp16.h>
#include <cuda_bf16.h>
#include <cuda_runtime.h>
using namespace hedge::cuda;
#define CK(x) do{cudaError_t e=(x); if(e!=cudaSuccess){printf("%s:%d %s\n",__FILE__,__LINE__,cudaGetErrorString(e)); exit(1);} }while(0)
static float rnd(){ static unsigned s=1; s=s*1664525u+1013904223u; return ((s>>8)&0xffff)/32768.f-1.f; }
template<class T> static T* up(const std::vector<T>& v){ T*p; CK(cudaMalloc(&p,v.size()*sizeof(T)+256)); CK(cudaMemcpy(p,v.data(),v.size()*sizeof(T),cudaMemcpyHostToDevice)); return p; }
static std::vector<std::byte> enc(const std::vector<float>& f, ElementKind k){ int sz=granule_of(k)==8?2:4; std::vector<std::byte> o(f.size()*sz);
  for(size_t i=0;i<f.size();++i){ if(k==ElementKind::kHalf){ __half h=__float2half_rn(f[i]); memcpy(&o[i*2],&h,2);} else if(k==ElementKind::kBfloat16){__nv_bfloat16 h=__float2bfloat16_rn(f[i]); memcpy(&o[i*2],&h,2);} else memcpy(&o[i*4],&f[i],4);} return o; }
static float dec(const std::byte* p, ElementKind k){ if(k==ElementKind::kHalf){__half h; memcpy(&h,p,2); return __half2float(h);} if(k==ElementKind::kBfloat16){__nv_bfloat16 h; memcpy(&h,p,2); return __bfloat162float(h);} float f; memcpy(&f,p,4); return f; }
struct Buf { Convolution c; void*x,*w,*y,*res; float* bias; float* ws; unsigned* ctr; };
static Convolution mk(int h,int ci,int co,int k,int s,int g){ Convolution c; c.in_h=c.in_w=h; auto r=[&](int v){return (v+g-1)/g*g;}; c.in_c=r(ci); c.out_c=r(co); c.kernel_h=c.kernel_w=k; c.stride_h=c.stride_w=s; int pad=(k-1)/2; c.pad_top=c.pad_left=pad; c.out_h=c.out_w=(h+2*pad-k)/s+1; return c; }
static double check(const Convolution& c, ElementKind k, const ConvolutionTactic& t){
  int sz=granule_of(k)==8?2:4; std::vector<float> x((size_t)c.batch*c.in_h*c.in_w*c.in_c), w((size_t)c.out_c*c.kernel_h*c.kernel_w*c.in_c), b(c.out_c), r((size_t)c.pixels()*c.out_c);
  for(auto&v:x)v=rnd(); for(auto&v:w)v=rnd()*0.1f; for(auto&v:b)v=rnd(); for(auto&v:r)v=rnd();
  auto ex=enc(x,k), er=enc(r,k), ew=enc(w,k); auto pw=pack_weights(w.data(),c,k);
  ConvolutionArguments a; a.x=up(ex); a.weights=up(pw); a.bias=up(b); std::vector<std::byte> z(r.size()*sz); a.y=up(z); 
  std::vector<float> ws(workspace_floats(c,t)+1); a.workspace=up(ws); std::vector<unsigned> ct(counter_count(c,t)+1,0); a.counters=up(ct);
  a.post_op_count=2; a.post_ops[0].kind=PostOpParameters::Kind::kAddTensor; a.post_ops[0].operand=up(er); a.post_ops[1].kind=PostOpParameters::Kind::kRelu;
  for(int rep=0;rep<2;++rep) CK(launch_convolution(c,k,t,a,0)); CK(cudaDeviceSynchronize());
  CK(cudaMemcpy(z.data(),a.y,z.size(),cudaMemcpyDeviceToHost)); double worst=0, big=0;
  for(int p=0;p<c.pixels();++p){ int n=p/(c.out_h*c.out_w), oy=p%(c.out_h*c.out_w)/c.out_w, ox=p%c.out_w;
    for(int o=0;o<c.out_c;++o){ double s=0; for(int ky=0;ky<c.kernel_h;++ky)for(int kx=0;kx<c.kernel_w;++kx){ int iy=oy*c.stride_h-c.pad_top+ky*c.dilation_h, ix=ox*c.stride_w-c.pad_left+kx*c.dilation_w; if(iy<0||ix<0||iy>=c.in_h||ix>=c.in_w)continue;
        for(int ch=0;ch<c.in_c;++ch) s+=(double)dec(&ex[(((size_t)n*c.in_h+iy)*c.in_w+ix)*c.in_c*sz+ch*sz],k)*dec(&ew[((((size_t)o*c.kernel_h+ky)*c.kernel_w+kx)*c.in_c+ch)*sz],k); }
      s+=b[o]+dec(&er[((size_t)p*c.out_c+o)*sz],k); s=std::max(s,0.0); double got=dec(&z[((size_t)p*c.out_c+o)*sz],k); worst=std::max(worst,std::fabs(got-s)); big=std::max(big,std::fabs(s)); } }
  for(void*p:{(void*)a.x,(void*)a.weights,(void*)a.bias,(void*)a.y,(void*)a.workspace,(void*)a.counters,(void*)a.post_ops[0].operand}) cudaFree(p);
  return worst/big; }
static cudaStream_t st;
static Buf make(const Convolution& c, ElementKind k){ Buf b; b.c=c; int sz=granule_of(k)==8?2:4; size_t nx=(size_t)c.batch*c.in_h*c.in_w*c.in_c*sz, ny=(size_t)c.pixels()*c.out_c*sz; CK(cudaMalloc(&b.x,nx)); CK(cudaMalloc(&b.y,ny)); CK(cudaMalloc(&b.res,ny)); CK(cudaMemset(b.x,0,nx)); CK(cudaMemset(b.res,0,ny)); std::vector<float> w((size_t)c.out_c*c.kernel_h*c.kernel_w*c.in_c,0.01f); b.w=up(pack_weights(w.data(),c,k)); std::vector<float> bi(c.out_c,0.f); b.bias=up(bi); CK(cudaMalloc(&b.ws,64<<20)); CK(cudaMalloc(&b.ctr,1<<16)); CK(cudaMemset(b.ctr,0,1<<16)); return b; }
static bool g_overlap;
static ConvolutionArguments args(const Buf& b, bool res){ ConvolutionArguments a; a.x=b.x;a.weights=b.w;a.bias=b.bias;a.y=b.y;a.workspace=b.ws;a.counters=b.ctr; int n=0; if(res){a.post_ops[n].kind=PostOpParameters::Kind::kAddTensor;a.post_ops[n++].operand=b.res;} a.post_ops[n++].kind=PostOpParameters::Kind::kRelu; a.post_op_count=n; a.overlap=g_overlap; return a; }
static double graph_us(cudaGraphExec_t g, int reps){ for(int i=0;i<3;++i){CK(cudaGraphLaunch(g,st));} CK(cudaStreamSynchronize(st)); std::vector<double> v; for(int i=0;i<reps;++i){auto t0=std::chrono::steady_clock::now(); CK(cudaGraphLaunch(g,st)); CK(cudaStreamSynchronize(st)); v.push_back(std::chrono::duration<double,std::micro>(std::chrono::steady_clock::now()-t0).count());} std::sort(v.begin(),v.end()); return v[v.size()/2]; }
static double tune_one(const Buf& b, ElementKind k, const ConvolutionTactic& t, int n=20,int reps=5){ cudaGraph_t g; cudaGraphExec_t ge; auto a=args(b,true); CK(cudaStreamBeginCapture(st,cudaStreamCaptureModeThreadLocal)); for(int i=0;i<n;++i) if(launch_convolution(b.c,k,t,a,st)!=cudaSuccess){cudaGetLastError(); cudaStreamEndCapture(st,&g); return 1e9;} CK(cudaStreamEndCapture(st,&g)); CK(cudaGraphInstantiateWithFlags(&ge,g,0)); double us=graph_us(ge,reps); cudaGraphExecDestroy(ge); cudaGraphDestroy(g); return us/n; }
struct L{int h,ci,co,k,s,count;};
int main(int argc,char**argv){ CK(cudaSetDeviceFlags(cudaDeviceScheduleSpin)); CK(cudaStreamCreate(&st));
  for(ElementKind k:{ElementKind::kHalf,ElementKind::kBfloat16,ElementKind::kTf32,ElementKind::kFloat32}){ int g=granule_of(k); double worst=0; int n=0;
    for(auto c:{mk(8,3,16,3,1,g),mk(9,16,24,3,2,g),mk(7,40,8,1,1,g),mk(14,64,32,3,1,g),mk(12,3,64,7,2,g)}){ c.batch=2; auto ts=convolution_tactics(c,k); for(size_t i=0;i<ts.size();i+=std::max<size_t>(1,ts.size()/25)){ double e=check(c,k,ts[i]); if(!(e<0.02)) printf("BAD kind %d h%d ci%d co%d k%d: m%d n%d wm%d wn%d wk%d s%d err %g\n",(int)k,c.in_h,c.in_c,c.out_c,c.kernel_h,ts[i].m_tiles,ts[i].n_tiles,ts[i].warps_m,ts[i].warps_n,ts[i].warps_k,ts[i].splits,e); worst=std::max(worst,e); ++n; } }
    printf("kind %d: %d checks, worst relative error %g\n",(int)k,n,worst); }
  std::map<std::string,std::vector<L>> nets{
   {"resnet8",{{32,3,16,3,1,1},{32,16,16,3,1,2},{32,16,32,3,2,1},{16,32,32,3,1,1},{32,16,32,1,2,1},{16,32,64,3,2,1},{8,64,64,3,1,1},{16,32,64,1,2,1}}},
   {"resnet56",{{32,3,16,3,1,1},{32,16,16,3,1,18},{32,16,32,3,2,1},{16,32,32,3,1,17},{16,32,64,3,2,1},{8,64,64,3,1,17}}},
   {"resnet18",{{224,3,64,7,2,1},{56,64,64,3,1,4},{56,64,128,3,2,1},{28,128,128,3,1,3},{56,64,128,1,2,1},{28,128,256,3,2,1},{14,256,256,3,1,3},{28,128,256,1,2,1},{14,256,512,3,2,1},{7,512,512,3,1,3},{14,256,512,1,2,1}}}};
  for(int ov:{0,1}) for(ElementKind k:{ElementKind::kHalf}) for(auto&[name,ls]:nets){ g_overlap=ov; std::vector<std::pair<Buf,ConvolutionTactic>> seq; double sum=0; auto t0=std::chrono::steady_clock::now();
    for(auto&l:ls){ auto c=mk(l.h,l.ci,l.co,l.k,l.s,granule_of(k)); Buf b=make(c,k); auto ts=convolution_tactics(c,k); double best=1e9; ConvolutionTactic bt; for(auto&t:ts){ double us=tune_one(b,k,t,10,2); if(us<best){best=us;bt=t;} } best=tune_one(b,k,bt,20,20); printf("%s %d: %dx%d %d->%d k%d s%d: %zu tactics, best %.2f us m%d n%d wm%d wn%d wk%d splits%d x%d\n",name.c_str(),(int)k,l.h,l.h,l.ci,l.co,l.k,l.s,ts.size(),best,bt.m_tiles,bt.n_tiles,bt.warps_m,bt.warps_n,bt.warps_k,bt.splits,l.count); sum+=best*l.count; for(int i=0;i<l.count;++i) seq.push_back({b,bt}); }
    cudaGraph_t g; cudaGraphExec_t ge; CK(cudaStreamBeginCapture(st,cudaStreamCaptureModeThreadLocal)); for(auto&[b,t]:seq) CK(launch_convolution(b.c,k,t,args(b,false),st)); CK(cudaStreamEndCapture(st,&g)); CK(cudaGraphInstantiateWithFlags(&ge,g,0)); printf("== overlap %d %s kind %d: %zu convolutions in a graph %.1f us wall p50 (sum of parts %.1f), tuned in %.1f s\n",ov,name.c_str(),(int)k,seq.size(),graph_us(ge,300),sum,std::chrono::duration<double>(std::chrono::steady_clock::now()-t0).count()); fflush(stdout); }
}
